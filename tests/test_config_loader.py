"""The configuration of projects in folders with unusual names."""

import shutil

import pytest
from kedro.config import OmegaConfigLoader

from cloome_kedro.config_loader import ConfigLoader
from cloome_kedro.settings import CONFIG_LOADER_ARGS
from environments import ROOT


@pytest.mark.parametrize("name", ["mine [2]", "what?", "a*b", "[x", "50 % #1 é", "mine"])
def test_the_configuration_is_found_in_every_folder(tmp_path, name):
    conf = tmp_path / name / "conf"
    for env in ("base", "test", "paper"):
        shutil.copytree(ROOT / "conf" / env, conf / env)
    (conf / "test" / "parameters").mkdir()
    (conf / "test" / "parameters" / "mine.yml").write_text("_mine: 1")
    (conf / "test" / ".parameters.yml").write_text("_hidden: 1")
    (tmp_path / name / "data").mkdir()
    (tmp_path / name / "data" / "parameters.yml").write_text("_data: 1")
    loader = ConfigLoader(str(conf), env="test", **CONFIG_LOADER_ARGS)
    found = {kind: loader[kind] for kind in ("globals", "parameters", "catalog", "credentials")}
    assert found["parameters"]["_mine"] == 1
    assert not {"_hidden", "_data"} & set(found["parameters"])
    shutil.copytree(conf, tmp_path / "plain")
    plain = OmegaConfigLoader(str(tmp_path / "plain"), env="test", **CONFIG_LOADER_ARGS)
    assert found == {kind: plain[kind] for kind in found}

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


def test_files_are_read_once_and_callers_get_copies(tmp_path, monkeypatch):
    for env in ("base", "test", "paper"):
        shutil.copytree(ROOT / "conf" / env, tmp_path / env)
    loader = ConfigLoader(str(tmp_path), env="test", runtime_params={"seed": 3}, **CONFIG_LOADER_ARGS)
    kinds = ("globals", "parameters", "catalog")
    first = {kind: loader[kind] for kind in kinds}
    read = []
    monkeypatch.setattr(ConfigLoader, "_read_raw_config", lambda self, key: read.append(key))
    first["parameters"]["models"].clear()
    assert loader["parameters"]["models"], "a change of a copy stays in the copy"
    assert loader["parameters"]["seed"] == 3
    assert {kind: loader[kind] for kind in ("globals", "catalog")} == {
        kind: first[kind] for kind in ("globals", "catalog")
    }
    assert read == []
    loader["parameters"] = {"seed": 5}
    assert loader["parameters"] == {"seed": 5}


def test_other_parameters_of_the_run_or_another_environment_are_read_anew():
    loader = ConfigLoader(str(ROOT / "conf"), env="test", runtime_params={"seed": 1}, **CONFIG_LOADER_ARGS)
    assert loader["parameters"]["seed"] == 1
    assert loader["parameters"]["fingerprints"]["bits"] == 1024
    loader.runtime_params["seed"] = 2
    assert loader["parameters"]["seed"] == 2
    loader.env = "base"
    assert loader["parameters"]["simulation"]["screen"]["compounds"] == 1280

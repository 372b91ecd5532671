"""The hooks, on a context and a catalog of our own."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from cloome_kedro.hooks import CurrentFingerprints, EnvironmentPipelines, KnownPreset, ResultsLast, UserModules
from cloome_kedro.imaging.corruptions import CORRUPTIONS, find_corruptions
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import CorruptionParameters, FingerprintParameters
from cloome_kedro.registry import load_modules
from cloome_kedro.settings import HOOKS
from environments import configured, pipelines_of
from registries import restored


@pytest.fixture
def registered(monkeypatch):
    """The pipelines of the project, as the hook finds and leaves them; those of other tests stay as they are."""
    monkeypatch.setattr(pipelines, "_content", {"old": Pipeline([]), "study": Pipeline([])})
    monkeypatch.setattr(pipelines, "_is_data_loaded", True)
    return pipelines


def context_of(env="base", models=None, **chosen):
    """A context with other globals, and with other entries of models beside those of the environment."""
    loader = {kind: dict(configured(kind, env)) for kind in ("globals", "parameters")}
    loader["globals"] |= chosen
    loader["parameters"]["models"] = loader["parameters"]["models"] | (models or {})
    return SimpleNamespace(config_loader=loader, env=env)


def test_the_environment_chooses_the_pipelines(registered):
    context = context_of(splits=["provided"], simulate=False, measure_profiles=False)
    context.config_loader["parameters"]["tuning"] = {"space": "baseline", "spaces": {"baseline": {"tunes": "bilinear"}}}
    EnvironmentPipelines().after_context_created(context)
    searching = {node.name: node for node in registered["tuning"].nodes}
    assert set(searching) == {
        *(f"provided.tuning.{name}" for name in ("search_parameters", "draw_search")),
        "provided.reporting.describe_search",
    }
    assert searching["provided.tuning.search_parameters"]._inputs["model"] == "params:models.bilinear"
    assert {name.split(".")[0] for name in registered["study"].all_outputs() if "." in name} == {"provided"}
    assert "profile_index" not in registered["__default__"].datasets(), "field_profiles is the user's"
    assert "truth" in registered["__default__"].inputs(), "nothing simulates it"
    assert "old" not in registered, "what the environment does not have is gone"


@pytest.mark.parametrize("bits", [1024, 512])
def test_stored_fingerprints_of_other_settings_stop_a_run(bits):
    settings = {"radius": 3, "bits": bits, "chirality": True}
    stored = Fingerprints(np.zeros((2, bits // 8), np.uint8), settings)
    parameters = FingerprintParameters()
    catalog = DataCatalog({"fingerprints": MemoryDataset(stored), "params:fingerprints": MemoryDataset(parameters)})
    reads = Pipeline([node(len, "fingerprints", "n")])
    makes = Pipeline([node(lambda settings: stored, "params:fingerprints", "fingerprints")])
    CurrentFingerprints().before_pipeline_run(makes + reads, catalog)
    if bits == parameters.bits:
        CurrentFingerprints().before_pipeline_run(reads, catalog)
    else:
        with pytest.raises(ValueError, match=r"'bits': 1024.*stored fingerprints have.*'bits': 512.*run the featuri"):
            CurrentFingerprints().before_pipeline_run(reads, catalog)


# ---- a user's modules

MODULE = """
from dataclasses import dataclass
from cloome_kedro.imaging.corruptions import corruption
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.learning.views.profiles import Profiles

VIEWS.add("counts", Profiles, module=__name__, reads=("cell_counts",))


@corruption(draw=lambda generator: {"gain": 0.5})
def dimmer_of_mine(image, gain):
    return (image * gain).to(image.dtype)
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """A module of the user's, which nothing has imported yet; registries are those of the test."""
    name = "a_module_of_mine"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with restored(CORRUPTIONS), restored(VIEWS), restored(ENCODERS):
        yield name
    sys.modules.pop(name, None)


def test_modules_of_a_user_are_imported_by_name(user_module):
    with pytest.raises(ValueError, match="no corruption 'dimmer_of_mine'"):
        find_corruptions(["dimmer_of_mine"])
    UserModules().after_context_created(context_of(modules=[user_module]))
    (dimmer,) = find_corruptions(["dimmer_of_mine"])
    assert dimmer.draw(None) == {"gain": 0.5}
    parameters = CorruptionParameters(names=["dimmer_of_mine"], chosen="dimmer_of_mine")
    assert parameters.names == ["dimmer_of_mine"]
    UserModules().after_context_created(context_of(modules=[user_module]))  # once more is no harm


def test_modules_are_imported_before_pipelines_are_wired(user_module, registered):
    """Wiring asks the registry what a view reads."""
    mine = {"field": {"view": "counts", "encoder": "mlp"}, "compound": {"view": "morgan", "encoder": "mlp"}}
    context = context_of(models={"mine": mine}, modules=[user_module])
    context.config_loader["globals"]["models"] = {"mine": "Mine"}
    manager = _create_hook_manager()
    for hook in HOOKS:
        manager.register(hook)
    context.config_loader = Loader(**context.config_loader)
    manager.hook.after_context_created(context=context)
    training = next(node for node in registered["training"].nodes if node.short_name == "train")
    assert training._inputs["cell_counts"] == "cell_counts"


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"globals.yml, modules: no_such_module_of_mine cannot be imported"):
        UserModules().after_context_created(context_of(modules=["no_such_module_of_mine"]))
    (tmp_path / "broken_of_mine.py").write_text("import no_such_library_of_mine")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"broken_of_mine cannot be imported \(No module named 'no_such_library_of"):
        load_modules(["broken_of_mine"])


# ---- presets


class Loader(dict):
    """A configuration loader with ``--params``."""

    def __init__(self, runtime_params=None, **groups):
        super().__init__(**groups)
        self.runtime_params = runtime_params


def test_an_unknown_preset_stops_the_run_and_names_those_that_are_there():
    def check(*presets, **params):
        loader = Loader(params, globals={"presets": dict.fromkeys(presets)})
        KnownPreset().after_context_created(SimpleNamespace(config_loader=loader, env="mine"))

    check("one", "two", preset="two")
    check("one", seed=1)
    check()
    with pytest.raises(
        ValueError, match=r"preset=three: there is no such preset\. The environment mine has the presets one, two$"
    ):
        check("one", "two", preset="three")
    with pytest.raises(ValueError, match=r"The environment mine has no presets; --env paper"):
        check(preset="one")


@pytest.mark.parametrize(("env", "preset"), [("paper", "retrieval"), ("profile_model", "profile_model")])
def test_the_preset_that_an_environment_takes_is_one_of_its_own(env, preset):
    chosen = configured("globals", env)
    assert chosen["preset"] == preset
    assert preset in chosen["presets"]


# ---- the terminal


def repeat(table):
    return table


def test_the_summary_is_printed_when_it_was_written(capsys):
    catalog = DataCatalog({"summary": MemoryDataset("top-1 27 %\n")})
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "other")]), catalog)
    assert capsys.readouterr().out == ""
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "summary")]), catalog)
    assert capsys.readouterr().out.endswith("\ntop-1 27 %\n\n")


def test_a_splits_own_text_is_printed_too(capsys):
    catalog = DataCatalog({"random.tuning_summary": MemoryDataset("winner: trial 7")})
    written = Pipeline([node(repeat, "trials", "tuning_summary")], namespace="random")
    ResultsLast().after_pipeline_run(written, catalog)
    assert capsys.readouterr().out.endswith("\nwinner: trial 7\n")


def test_every_text_for_the_terminal_is_one_of_the_pipelines():
    written = {name for pipeline in pipelines_of("base").values() for name in pipeline.all_outputs()}
    assert {name.rpartition(".")[2] for name in written if name.endswith("summary")} == set(ResultsLast.SUMMARIES)

"""The hooks, on a context and a catalog of our own."""

from types import SimpleNamespace

import pytest
from kedro.framework.project import pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from cloome_kedro.hooks import EnvironmentPipelines, KnownPreset, ResultsLast


def test_the_environment_chooses_the_pipelines(monkeypatch):
    monkeypatch.setattr(pipelines, "_content", {})
    monkeypatch.setattr(pipelines, "_is_data_loaded", True)
    tuning = {"space": "baseline", "spaces": {"baseline": {"tunes": "bilinear"}}}
    chosen = {"splits": ["provided"], "simulate": False, "measure_profiles": False}
    context = SimpleNamespace(config_loader={"globals": chosen, "parameters": {"tuning": tuning}})
    EnvironmentPipelines().after_context_created(context)
    assert {node.name for node in pipelines["tuning"].nodes} == {
        "provided.tuning.search_bilinear",
        "provided.tuning.draw_search",
    }
    assert {name.split(".")[0] for name in pipelines["study"].outputs() if "." in name} == {"provided"}
    assert "profile_index" not in pipelines["__default__"].datasets(), "field_profiles is the user's"
    assert "truth" in pipelines["__default__"].inputs(), "nothing simulates it"


class Loader(dict):
    def __init__(self, presets, **runtime_params):
        super().__init__(globals={"presets": dict.fromkeys(presets)})
        self.runtime_params = runtime_params


def test_an_unknown_preset_stops_the_run_and_names_those_that_are_there():
    def check(*presets, **params):
        KnownPreset().after_context_created(SimpleNamespace(config_loader=Loader(presets, **params), env="mine"))

    check("one", "two", preset="two")
    check("one", seed=1)
    check()
    with pytest.raises(ValueError, match="preset=three: there is no such preset; the environment mine has one, two"):
        check("one", "two", preset="three")
    with pytest.raises(ValueError, match=r"the environment mine has none; .* --env paper"):
        check(preset="one")


def repeat(table):
    return table


def test_the_retrieval_table_is_printed_when_it_was_written(capsys):
    catalog = DataCatalog({"retrieval_summary": MemoryDataset("top-1 27 %\n")})
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "other")]), catalog)
    assert capsys.readouterr().out == ""
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "retrieval_summary")]), catalog)
    assert capsys.readouterr().out.endswith("\ntop-1 27 %\n\n")


def test_a_splits_own_text_is_printed_too(capsys):
    catalog = DataCatalog({"random.tuning_summary": MemoryDataset("winner: trial 7")})
    written = Pipeline([node(repeat, "trials", "tuning_summary")], namespace="random")
    ResultsLast().after_pipeline_run(written, catalog)
    assert capsys.readouterr().out.endswith("\nwinner: trial 7\n")

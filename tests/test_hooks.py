"""The hooks, on a context and a catalog of our own."""

import os
import subprocess
import sys
from fnmatch import fnmatchcase

import numpy as np
import pytest
from filelock import FileLock
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from kedro_datasets.text import TextDataset

from cloome_kedro.cluster import address_of_cluster
from cloome_kedro.hooks import (
    CheckedConfiguration,
    CurrentFingerprints,
    EnvironmentPipelines,
    FirstProcess,
    OneWriter,
    ResultsLast,
    SimulatedScreen,
    TrackedResults,
)
from cloome_kedro.imaging.corruptions import CORRUPTIONS, find_corruptions
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import FingerprintParameters, RetrievalParameters
from cloome_kedro.registry import load_modules
from cloome_kedro.settings import HOOKS
from environments import configured, environment, pipelines_of
from project import ROOT
from registries import restored

MINE = {"type": "cloome_kedro.datasets.folder.FolderDataset", "filepath": "/data/mine"}


def repeat(table):
    return table


@pytest.fixture
def registered(monkeypatch):
    """The pipelines of the project, as the hook finds and leaves them; those of other tests stay as they are."""
    monkeypatch.setattr(pipelines, "_content", {"old": Pipeline([]), "study": Pipeline([])})
    monkeypatch.setattr(pipelines, "_is_data_loaded", True)
    return pipelines


def test_the_environment_chooses_the_pipelines(registered, tmp_path, caplog):
    context = environment(
        tmp_path,
        {"splits": ["provided"], "simulate": False, "measure_profiles": False},
        {"tuning": {"space": "baseline", "spaces": {"baseline": {"tunes": "bilinear"}}}},
        catalog={"raw_sceen": MINE, "provided.examples": MINE, "my_table": MINE},
    )
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
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "cloome_kedro.hooks"]
    assert "reads or writes the dataset raw_sceen; the nearest name is raw_screen" in warning


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


def test_modules_of_a_user_are_imported_before_names_in_parameters_are_checked(user_module, tmp_path):
    corruption = {"names": ["dimmer_of_mine"], "chosen": "dimmer_of_mine"}
    with pytest.raises(ValueError, match="no corruption 'dimmer_of_mine'"):
        CheckedConfiguration().after_context_created(environment(tmp_path, parameters={"corruption": corruption}))
    context = environment(tmp_path, {"modules": [user_module]}, {"corruption": corruption})
    CheckedConfiguration().after_context_created(context)
    (dimmer,) = find_corruptions(["dimmer_of_mine"])
    assert dimmer.draw(None) == {"gain": 0.5}
    CheckedConfiguration().after_context_created(context)  # once more is no harm


def test_modules_are_imported_before_pipelines_are_wired(user_module, registered, tmp_path):
    """Wiring asks the registry what a view reads."""
    sides = {"field": {"view": "counts", "encoder": "mlp"}, "compound": {"view": "morgan", "encoder": "mlp"}}
    mine = {**sides, "objective": "info_nce", "fit": {}}
    globals_ = {"modules": [user_module], "models": {"mine": "Mine"}, "reference": None}
    context = environment(tmp_path, globals_, {"models": {"mine": mine}})
    manager = _create_hook_manager()
    for hook in HOOKS:
        manager.register(hook)
    manager.hook.after_context_created(context=context)
    training = next(node for node in registered["training"].nodes if node.short_name == "train")
    assert training._inputs["cell_counts"] == "cell_counts"


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    context = environment(tmp_path, {"modules": ["no_such_module_of_mine"]})
    with pytest.raises(ValueError, match=r"globals.yml, modules: no_such_module_of_mine cannot be imported"):
        CheckedConfiguration().after_context_created(context)
    (tmp_path / "broken_of_mine.py").write_text("import no_such_library_of_mine")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"broken_of_mine cannot be imported \(No module named 'no_such_library_of"):
        load_modules(["broken_of_mine"])


# ---- the configuration


def check(tmp_path, globals_=None, parameters=None, files=(), **params):
    context = environment(tmp_path, globals_, parameters, files, **params)
    CheckedConfiguration().after_context_created(context)


def test_the_configuration_chooses_where_tasks_run(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOOME_DASK_SCHEDULER", "tcp://of-an-earlier-run:1")
    check(tmp_path)
    assert address_of_cluster() is None
    check(tmp_path, parallel={"backend": "dask", "address": "tcp://10.0.0.1:8786"})
    assert address_of_cluster() == "tcp://10.0.0.1:8786"
    for wrong, message in (
        ({"backend": "dask"}, r"parallel.backend is dask, but the cluster is not named"),
        ({"address": "tcp://a:1"}, r"parallel.address is tcp://a:1, but parallel.backend is loky"),
        ({"backend": "spark"}, r"parallel.backend: .*'loky' or 'dask'"),
        ({"adress": "tcp://a:1"}, r"no setting parallel.adress; the nearest is parallel.address"),
    ):
        with pytest.raises(ValueError, match=message):
            check(tmp_path, parallel=wrong)


def test_the_configuration_of_the_project_is_right(tmp_path):
    check(tmp_path)
    check(tmp_path, seed=3, variant="1_0", reporting={"gallery_hits": 2})
    check(tmp_path, {"presets": {"two": {}}, "preset": "two"}, {"_helper": 1, "retrieval": {"draws": "${_helper}"}})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sed": 1}, "--params: there is no setting sed; the nearest is seed"),
        ({"varient": "a"}, "--params: there is no setting varient; the nearest is variant"),
        ({"epochs": 5}, r"--params: there is no setting epochs; the nearest is models\.\w+\.fit\.epochs"),
        (
            {"retrieval": {"drawz": 5}},
            r"there is no setting retrieval\.drawz; the nearest is retrieval\.draws",
        ),
        ({"retreival": {"draws": 5}}, "there is no setting retreival; the nearest is retrieval"),
        ({"models": {"cloome": {"fit": {"epoch": 5}}}}, r"the nearest is models\.cloome\.fit\.epochs"),
        ({"models": {"cloome": {"fitt": {"epochs": 5}}}}, r"the nearest is models\.cloome\.fit$"),
        ({"models": {"clome": {"fit": {"epochs": 5}}}}, "the model clome is not complete. If you mean cloome"),
        ({"tuning": {"spaces": {"laptop": {"metrik": "top1"}}}}, r"the nearest is tuning\.spaces\.laptop\.metric"),
        ({"tuning": {"serach": {"trials": 1}}}, r"the nearest is tuning\.search$"),
        ({"ingestion": {"storage": {"intensity": {"scal": 256}}}}, r"ingestion\.storage\.intensity\.\w*\.?scal"),
        ({"screen": "mine"}, "--params screen: screen cannot be given by --params. It is 'virtual_screen' in globals"),
        ({"simulate": False}, "simulate cannot be given by --params"),
        ({"study": {"screen": "other"}}, "study.screen is 'other', but globals.yml has 'virtual_screen'"),
        ({"ingestion": {"screen": "other"}}, "ingestion.screen is 'other', but globals.yml has 'virtual_screen'"),
        ({"import_checkpoint": {"variant": "x"}}, "import_checkpoint.variant is x: give it by --params variant=x"),
        (
            {"preset": "three"},
            r"preset=three: there is no such preset\. The environment mine has no presets",
        ),
        ({"variant": 10}, r"--params: variant: a name must be text, but it was read as 10 \(int\).*variant='007'"),
        ({"variant": "../x"}, r"'\.\./x' is no name"),
        ({"seed": 1.5}, "--params: seed: a seed must be a whole number, is 1.5"),
    ],
)
def test_wrong_params_stop_the_run(tmp_path, params, message):
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        check(tmp_path, **params)


@pytest.mark.parametrize(
    ("globals_", "parameters", "message"),
    [
        ({"simulat": False}, None, "globals.yml: there is no setting simulat; the nearest is simulate"),
        ({"retrieval": {}}, None, "globals.yml: there is no setting retrieval"),
        ({"splits": []}, None, "globals.yml: splits: List should have at least 1 item"),
        ({"splits": ["random", "random"]}, None, "splits: the name random occurs twice"),
        ({"splits": ["a.b"]}, None, "'a.b' contains a dot"),
        ({"models": {}}, None, "globals.yml: models: Dictionary should have at least 1 item"),
        ({"models": {"cloome": "Same", "bilinear": "Same"}}, None, "models: the name Same occurs twice"),
        ({"models": {"clome": "CLOOME"}, "reference": None}, None, "there is no model clome; the nearest is cloome"),
        ({"screen": 24277}, None, "globals.yml: screen: a name must be text, but it was read as 24277"),
        ({"screen": "../raw"}, None, "globals.yml: screen: '../raw' is no name"),
        ({"simulate": "false"}, None, "globals.yml: simulate: Input should be a valid boolean"),
        ({"images": False}, None, "globals.yml: .*images: the simulated screen has images; set simulate to false"),
        ({"images": False, "simulate": False}, None,
         r"models\.cloome\.field\.view is images, but globals\.yml has images: false; use a view of profiles"),
        ({"splits": ["random_fold_6"]}, None, r"there is no split random_fold_6, because splits\.folds is 5"),
        ({}, {"profile_tables": {"columns": {"features": ["("]}}}, "features: '\\(' is not a regular expression"),
        ({"presets": {"one": {}}, "preset": "two"}, None, "preset: two is not one of the presets one"),
        ({}, {"trainning": {"epochs": 3}}, r"mine/parameters.yml: there is no setting trainning"),
        ({}, {"variant": "mine"}, "mine/parameters.yml: variant is given by --params variant=..."),
        ({}, {"seed": 3}, "mine/parameters.yml: seed is 3: give it by --params seed=3"),
        ({}, {"retrieval": None}, "mine/parameters.yml: retrieval: Input should be a valid dictionary"),
        ({}, {"retrieval": {"draws": 0}}, "mine/parameters.yml: retrieval.draws: .*greater than or equal to 1, is 0"),
        ({}, {"probing": {"levl": 1}, "seeds": 1}, r"(?s)probing\.levl; the nearest is probing\.level.*seeds; the ne"),
        ({}, {"models": {"x": {"kind": "boosting"}}}, r"models\.x\.kind: there is no kind of model boosting, only "),
        ({}, {"models": {"ridge": {"alpha": 1}}}, r"models\.ridge\.alpha; the nearest is models\.ridge\.alphas"),
        ({}, {"models": {"ridge": {"alphas": [0]}}}, r"models\.ridge\.alphas: Input should be greater than 0"),
        ({"models": {"cloome": "A", "fusion": "B"}, "reference": None}, None,
         r"models\.fusion\.parts: profiles is no model of the study: add it to models in globals\.yml, before fusion"),
        ({"models": {"cloome": "A", "fusion": "B", "profiles": "C"}, "reference": None}, None,
         "profiles must come before fusion"),
        ({}, {"models": {"fusion": {"parts": ["cloome"]}}}, r"models\.fusion\.parts: .*at least 2 items"),
        ({}, {"tuning": {"spaces": {"laptop": {"tunes": "ridge"}}}},
         r"laptop\.tunes: ridge is a model of the kind ridge, but only contrastive models can be tuned"),
        ({}, {"models": {"cloome": {"field": {"view": {"name": "images", "crop": 65}}}}},
         r"models\.cloome\.field\.view\.crop is 65 pixels, but ingestion\.storage\.size is \[64, 64\]"),
        ({}, {"models": {"cloome": {"field": {"view": {"name": "images", "quarter_turns": True}}}},
              "ingestion": {"storage": {"size": [48, 64]}}},
         r"view\.quarter_turns needs square images, but ingestion\.storage\.size is \[48, 64\]: set .*crop"),
    ],
)  # fmt: skip
def test_wrong_files_stop_the_run(tmp_path, globals_, parameters, message):
    with pytest.raises(ValueError, match=message):
        check(tmp_path, globals_, parameters)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("globals.yaml", "globals.yml"),
        ("global.yml", "globals.yml"),
        ("parameter.yml", "parameters.yml"),
        ("paramters_tuning.yml", "parameters_tuning.yml"),
        ("more/catlog.yml", "catalog.yml"),
    ],
)
def test_a_file_with_a_misspelt_name_stops_the_run(tmp_path, name, right):
    with pytest.raises(ValueError, match=f"is not read, because its name is misspelt: the nearest name is {right}"):
        check(tmp_path, files=[name])


def test_other_files_of_an_environment_are_none_of_our_business(tmp_path):
    check(tmp_path, files=["mlflow.yml", "parameters/retrieval.yml", "catalog_mine.yml", "notes.json", "README.md"])


def test_a_project_in_a_folder_that_kedro_takes_for_a_pattern_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Kedro cannot work in a folder with \{ or \}"):
        check(tmp_path / "my {screen}")


@pytest.mark.parametrize(("env", "preset"), [("paper", "retrieval"), ("profile_model", "profile_model")])
def test_the_preset_that_an_environment_takes_is_one_of_its_own(env, preset):
    chosen = configured("globals", env)
    assert chosen["preset"] == preset
    assert preset in chosen["presets"]


def test_an_unknown_preset_names_those_that_are_there(tmp_path):
    presets = {"presets": {"one": {}, "two": {}}, "preset": "one"}
    check(tmp_path, presets, preset="two")
    with pytest.raises(ValueError, match=r"preset=three: .* The environment mine has the presets one, two$"):
        check(tmp_path, presets, preset="three")


# ---- the virtual screen


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        ("raw_screen", "/data/mine"),
        ("raw_screen", "data/01_raw/virtual_screen/mine"),
        ("raw_screen", "data/01_raw/virtual_screen/../mine"),
        ("assay_labels", "/data/labels.parquet"),
        ("truth", "data/01_raw/truth.parquet"),
    ],
)
def test_a_screen_of_a_users_own_is_not_simulated(tmp_path, dataset, path):
    own = {dataset: {"type": "pandas.ParquetDataset", "filepath": path}}
    with pytest.raises(ValueError, match=f"simulate: true, but the catalog has a {dataset} of its own"):
        SimulatedScreen().after_context_created(environment(tmp_path, catalog=own))
    SimulatedScreen().after_context_created(environment(tmp_path, {"simulate": False}, catalog=own))


def test_the_pipeline_simulation_is_refused_too():
    """``--pipelines simulation`` in an environment with ``simulate: false``."""
    catalog = DataCatalog.from_config({"virtual_screen_folder": MINE, "raw_screen": {**MINE, "filepath": "/other"}})
    writes = Pipeline([node(repeat, "virtual_screen_folder", "raw_screen")])
    with pytest.raises(ValueError, match="this run simulates a screen, but the catalog has a raw_screen of its own"):
        SimulatedScreen().before_pipeline_run(writes, catalog)
    SimulatedScreen().before_pipeline_run(Pipeline([node(repeat, "raw_screen", "fields")]), catalog)


# ---- the terminal


def test_the_summary_is_printed_when_it_was_written(capsys):
    catalog = DataCatalog({"summary": MemoryDataset("top-1 27 %\n")})
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "other")]), catalog)
    assert capsys.readouterr().out == ""
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "metrics", "summary")]), catalog)
    assert capsys.readouterr().out.endswith("\ntop-1 27 %\n\n")


def test_the_place_of_a_page_is_printed_last(capsys, tmp_path):
    page = TextDataset(filepath=f"{tmp_path}/report.html")
    catalog = DataCatalog({"summary": MemoryDataset("top-1 27 %"), "report": page})
    written = Pipeline([node(repeat, "metrics", "summary"), node(repeat, "parts", "report")])
    ResultsLast().after_pipeline_run(written, catalog)
    assert capsys.readouterr().out.endswith(f"\ntop-1 27 %\n\nThe report: {tmp_path}/report.html\n")


def test_a_splits_own_text_is_printed_too(capsys):
    catalog = DataCatalog({"random.tuning_summary": MemoryDataset("winner: trial 7")})
    written = Pipeline([node(repeat, "trials", "tuning_summary")], namespace="random")
    ResultsLast().after_pipeline_run(written, catalog)
    assert capsys.readouterr().out.endswith("\nwinner: trial 7\n")
    catalog = DataCatalog({"comparison_mine_summary": MemoryDataset("CLOOME: above")})
    ResultsLast().after_pipeline_run(Pipeline([node(repeat, "comparison_mine", "comparison_mine_summary")]), catalog)
    assert capsys.readouterr().out.endswith("\nCLOOME: above\n")


def test_every_text_for_the_terminal_is_one_of_the_pipelines():
    written = {name for pipeline in pipelines_of("base").values() for name in pipeline.all_outputs()}
    texts = {name.rpartition(".")[2] for name in written if name.endswith("summary")}
    for text in texts:
        assert len([pattern for pattern in ResultsLast.SUMMARIES if fnmatchcase(text, pattern)]) == 1, text
    for pattern in ResultsLast.SUMMARIES:
        assert any(fnmatchcase(text, pattern) for text in texts), pattern


# ---- results of other parameters


def table_of(fields, retrieval: RetrievalParameters):
    return f"{fields} {retrieval.draws}"


@pytest.fixture
def run(tmp_path, caplog):
    """Run a pipeline of one node as Kedro does; return the warnings."""

    def run(variant=None, error=False, **retrieval):
        path = f"data/07_model_output/virtual_screen/random/{variant or 'default'}/seed_0/ranks.txt"
        entry = {"type": "cloome_kedro.datasets.tables.Text", "filepath": str(tmp_path / path)}
        catalog = DataCatalog.from_config({"{split}.ranks": entry})
        catalog["fields"] = MemoryDataset("fields")
        catalog["params:retrieval"] = MemoryDataset(RetrievalParameters(**retrieval), "assign")
        pipeline = Pipeline([node(table_of, ["fields", "params:retrieval"], "random.ranks")])
        hook, names = OneWriter(), {"variant": variant} if variant else {}
        hook.after_context_created(environment(tmp_path, **names))
        caplog.clear()
        hook.before_pipeline_run(pipeline, catalog)
        SequentialRunner().run(pipeline, catalog)
        hook.on_pipeline_error() if error else hook.after_pipeline_run()
        return [record.getMessage() for record in caplog.records if record.name == "cloome_kedro.hooks"]

    return run


def test_changed_parameters_warn_which_results_they_replace(run):
    assert run(draws=3) == [], "there is nothing to replace"
    assert run(draws=3) == []
    (warning,) = run(draws=4, candidates=7)
    assert warning == (
        "retrieval.candidates is 7, was 100; retrieval.draws is 4, was 3, since the results of random of the variant "
        "default, seed 0, of the screen virtual_screen were written. This run replaces 1 of these and later results, "
        "such as random.ranks. To keep them, stop the run and add --params variant=NAME"
    )
    assert run(draws=4, candidates=7) == []


def test_another_variant_replaces_nothing(run):
    run(draws=3)
    assert run("mine", draws=4) == []
    assert len(run("mine", draws=3)) == 1


@pytest.mark.parametrize("error", [False, True])
def test_locks_end_with_the_run(run, error, tmp_path):
    run(error=error)
    owners = list((tmp_path / "data" / ".runs").rglob("*.lock"))
    assert [path.relative_to(tmp_path / "data" / ".runs").as_posix() for path in owners] == [
        "virtual_screen/default/seed_0/random.lock"
    ]
    with FileLock(owners[0], timeout=0):
        pass


def test_a_run_of_this_process_that_was_broken_off_does_not_block_the_next(tmp_path):
    hook, pipeline = OneWriter(), Pipeline([node(repeat, "metrics", "fields")])
    entry = {"type": "cloome_kedro.datasets.tables.Text", "filepath": str(tmp_path / "data/03_primary/s/fields.txt")}
    catalog = DataCatalog.from_config({"fields": entry})
    hook.after_context_created(environment(tmp_path))
    hook.before_pipeline_run(pipeline, catalog)
    hook_of_another_run = OneWriter()
    hook_of_another_run.after_context_created(environment(tmp_path))
    with pytest.raises(ValueError, match=f"another run writes the screen virtual_screen .process {os.getpid()}"):
        hook_of_another_run.before_pipeline_run(pipeline, catalog)
    hook.before_pipeline_run(pipeline, catalog)  # the notebook's second try
    hook.after_pipeline_run()


# ---- tracking


def test_written_tables_figures_and_metrics_are_tracked(tmp_path, monkeypatch):
    """The hook sends what this run wrote into 08_reporting, without the parts that the report contains."""
    sent = {}
    monkeypatch.setattr(
        "cloome_kedro.tracking.Tracker.results", lambda self, study, files, metrics: sent.update(locals())
    )
    monkeypatch.setattr("cloome_kedro.tracking.Tracker.active", True)
    text, reporting = "cloome_kedro.datasets.tables.Text", tmp_path / "data/08_reporting/s"
    entries = {
        "{split}.{name}_figure": {"type": text, "filepath": str(reporting / "{split}/{name}.png")},
        "{split}.{name}_part": {"type": text, "filepath": str(reporting / "{split}/parts/{name}.html")},
        "report": {"type": text, "filepath": str(reporting / "report.html")},
        "{split}.checkpoint": {"type": text, "filepath": str(tmp_path / "data/06_models/{split}.txt")},
    }
    catalog = DataCatalog.from_config(entries)
    names = ("random.rank_figure", "random.rank_part", "report", "random.checkpoint")
    for name in names:
        catalog.save(name, name)
    (reporting / "random/rank.svg").write_text("the same figure")
    (reporting / "random/another.png").write_text("of another run")
    hook = TrackedResults()
    hook.after_context_created(environment(tmp_path, {"tracking": "sqlite:///mlflow.db"}, variant="mine", seed=3))
    pipeline = Pipeline([node(repeat, f"in_{number}", name) for number, name in enumerate(names)])
    hook.after_pipeline_run(pipeline, catalog)
    files = {path.relative_to(reporting).as_posix(): split for path, split in sent["files"].items()}
    assert files == {"random/rank.png": "random", "random/rank.svg": "random", "report.html": ""}
    assert sent["study"] == {"variant": "mine", "seed": 3}
    sent.clear()
    hook.before_pipeline_run({"runner": "<kedro.runner.sequential_runner.SequentialRunner object>"})
    hook.after_pipeline_run(pipeline, catalog)
    assert not sent, "all nodes were skipped: their results were sent when they were written"
    hook.after_dataset_saved("report")
    hook.after_pipeline_run(pipeline, catalog)
    assert [path.name for path in sent["files"]] == ["report.html"]
    hook.before_pipeline_run({"runner": "<kedro.runner.parallel_runner.ParallelRunner object>"})
    hook.after_pipeline_run(pipeline, catalog)
    assert len(sent["files"]) == 3, "its processes do not tell what they have written"


def test_the_hooks_of_the_project_track_and_the_plugin_does_not():
    from cloome_kedro import settings

    assert any(isinstance(hook, TrackedResults) for hook in HOOKS)
    assert settings.DISABLE_HOOKS_FOR_PLUGINS == ("kedro_mlflow",)


@pytest.mark.parametrize("started", [True, False])
def test_under_torchrun_processes_join_before_any_other_hook(started, monkeypatch):
    from cloome_kedro.learning import processes

    def start():
        raise SystemExit(0)  # what it does in all processes but the first

    class Other:
        @hook_impl
        def after_context_created(self):
            reached.append(1)

    reached = []
    monkeypatch.setattr(processes, "start", start)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if started:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    manager = _create_hook_manager()
    (first,) = [hook for hook in HOOKS if isinstance(hook, FirstProcess)]
    for hook in (first, Other()):
        manager.register(hook)
    if started:
        with pytest.raises(SystemExit):
            manager.hook.after_context_created(context=None)
    else:
        manager.hook.after_context_created(context=None)
    assert reached == ([] if started else [1])


NODES_NEED = ("torchvision", "lightning_fabric", "rdkit", "chembl_structure_pipeline", "scipy", "sklearn", "matplotlib")


def test_a_run_begins_without_libraries_that_only_nodes_need():
    """Parameters are checked and pipelines registered before the first node: this must take seconds."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom kedro.framework.session import KedroSession\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "bootstrap_project(Path.cwd())\n"
        "with KedroSession.create(env='test', save_on_close=False) as session:\n    session.load_context()\n"
        f"print([name for name in {NODES_NEED} if name in sys.modules])"
    )
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"

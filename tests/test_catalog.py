"""The catalog's rules: every entry has a layer, every table a schema, every node's dataset an entry or a reason."""

import re
from pathlib import Path

import pandera.pandas as pa
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io.core import parse_dataset_definition
from kedro.utils import load_obj

from cloome_kedro.datasets.label_matrix import LabelMatrix
from cloome_kedro.datasets.tables import CsvTable, OptionalTable, Table
from cloome_kedro.pipeline_registry import SPLITS, register_pipelines
from cloome_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[1]
LAYERS = {"raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"}
#: folders filled step by step: handles, inputs of the nodes that fill them
STEPWISE = {"fit_state", "bilinear_state", "corruption_store", "study"}
#: passed from node to node in memory, as are parts of the report's sections, ..._part
IN_MEMORY = {
    *("settings", "fingerprint_settings"),
    *("screen_design", "report_section", "report_cards", "supplement_section"),
    *("corrupted_rank_metrics", "corrupted_rank_differences"),
    *("corrupted_probing_metrics", "corrupted_probing_differences"),
}


def fits(name: str, entry: str) -> bool:
    """Whether a dataset's name is one of those of a factory such as ``{split}.checkpoint``."""
    return re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(entry)), name) is not None


def configuration(env: str) -> OmegaConfigLoader:
    return OmegaConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)


@pytest.fixture(scope="module", params=["base", "test", "paper", "jump_example", "jump_moa"])
def catalog(request, monkeypatch_module) -> dict:
    monkeypatch_module.setenv("CLOOME_DATA", "/data")
    return {name: entry for name, entry in configuration(request.param)["catalog"].items() if not name.startswith("_")}


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_every_entry_has_a_layer(catalog):
    assert {name for name, entry in catalog.items() if entry["metadata"]["kedro-viz"]["layer"] not in LAYERS} == set()


def test_paths_lie_in_their_layers_folder(catalog):
    for name, entry in catalog.items():
        folder = Path(entry["filepath"]).parts
        if folder[0] == "data" and name.split(".")[-1] not in STEPWISE:
            assert folder[1].split("_", 1)[1] == entry["metadata"]["kedro-viz"]["layer"], name


def test_every_table_has_a_schema(catalog):
    for name, entry in catalog.items():
        kind, _ = parse_dataset_definition(
            {key: value for key, value in entry.items() if key not in ("metadata", "validator")}
        )
        if issubclass(kind, Table | CsvTable | OptionalTable | LabelMatrix):
            assert isinstance(load_obj(entry["validator"]), pa.DataFrameSchema), name
        else:
            assert "validator" not in entry, name


def test_every_dataset_of_the_pipelines_is_in_the_catalog():
    """A missing entry would silently stay in memory and be lost at the end of the run."""
    entries = set(configuration("base")["catalog"])
    pipelines = register_pipelines(splits=SPLITS)
    datasets = {
        name
        for pipeline in pipelines.values()
        for name in pipeline.datasets()
        if not name.startswith("params:") and name.split(".")[-1] not in IN_MEMORY and not name.endswith("_part")
    }
    by_length = sorted(entries, key=len, reverse=True)  # of several factories Kedro takes the one with the most text
    fitting = {
        name: name if name in entries else next((e for e in by_length if fits(name, e)), None) for name in datasets
    }
    assert {name for name, entry in fitting.items() if entry is None} == set()
    used = set(fitting.values())
    assert {name for name in entries - used if not name.startswith("_")} == set()


def test_results_of_models_keep_variants_and_seeds_apart(catalog):
    of_study = ("trials", "trial_epochs", "importances", "best_parameters", "fingerprints")  # of all seeds
    drawn = ("tuning_history", "tuning_importance", "tuning_slices", "tuning_summary")
    of_variants = {f"{{split}}.{dataset}" for dataset in (*of_study, *drawn)}
    for name, entry in catalog.items():
        layer = entry["metadata"]["kedro-viz"]["layer"]
        # brought by the user; over all seeds
        if name in {"published_checkpoint", "metrics_of_seeds", "seeds_metrics", "seeds_summary"} | of_variants:
            continue
        if layer in {"models", "model_output", "reporting"}:
            assert re.search(r"/(default|retrieval)/seed_0/", entry["filepath"]), name  # retrieval: the preset of paper

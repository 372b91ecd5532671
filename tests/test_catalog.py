"""The catalog's rules: every path lies in a layer's folder, every table has a schema, every node's dataset an entry."""

import re
from pathlib import Path

import pandera.pandas as pa
import pytest
from kedro.io import CatalogConfigResolver
from kedro.io.core import parse_dataset_definition
from kedro.utils import load_obj

from cloome_kedro.datasets.label_matrix import LabelMatrix
from cloome_kedro.datasets.tables import CsvTable, OptionalTable, Table, UserTable
from environments import ENVIRONMENTS, WITHOUT_DATA, configured, pipelines_of

#: data/NN_layer
LAYERS = ("raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting")
FOLDERS = {f"{number:02d}_{layer}" for number, layer in enumerate(LAYERS, start=1)}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def catalog(request) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOOME_DATA", "/data")
        entries = configured("catalog", request.param)
    return {name: entry for name, entry in entries.items() if not name.startswith("_")}


def kind_of(entry):
    """Class of an entry's dataset."""
    own = {key: value for key, value in entry.items() if key not in ("metadata", "validator")}
    return parse_dataset_definition(own)[0]


def folder_of(entry):
    """Folder of the layer in ``data``, None outside ``data``."""
    parts = Path(entry["filepath"]).parts
    return parts[1] if parts[0] == "data" else None


def test_paths_lie_in_the_folders_of_layers(catalog):
    assert {folder_of(entry) for entry in catalog.values()} - {None} == FOLDERS


def test_every_table_has_a_schema(catalog):
    """An optional table is checked by the dataset itself, which makes an empty one of the schema, too."""
    for name, entry in catalog.items():
        kind = kind_of(entry)
        if issubclass(kind, OptionalTable):
            assert isinstance(load_obj(entry["schema"]), pa.DataFrameSchema), name
        elif issubclass(kind, Table | CsvTable | LabelMatrix | UserTable):
            # "profile_moa_{table}" names the schemas of metrics and differences
            for table in ("metrics", "differences"):
                assert isinstance(load_obj(entry["validator"].format(table=table)), pa.DataFrameSchema), name
        if not issubclass(kind, Table | CsvTable | LabelMatrix | UserTable) or issubclass(kind, OptionalTable):
            assert "validator" not in entry, name


def test_every_entry_has_one_line_of_description(catalog):
    """kedro-viz and other tools show it."""
    descriptions = {name: (entry.get("metadata") or {}).get("description", "") for name, entry in catalog.items()}
    assert [name for name, text in descriptions.items() if not 10 < len(text) < 110 or text.endswith(".")] == []


def test_no_entry_lists_columns(catalog):
    """Columns are those of the schema."""
    lists = {name for name, entry in catalog.items() if isinstance(entry.get("columns"), list)}
    assert lists == set()


def test_every_handle_and_group_of_settings_is_there(catalog):
    named = {entry[key] for entry in catalog.values() for key in ("handle", "group") if key in entry}
    assert all(isinstance(load_obj(name), type) for name in named)


def test_no_entry_is_of_one_split_or_model(catalog):
    """Things of one kind have one pattern."""
    assert {name for name in catalog if "." in name and not name.startswith("{split}")} == set()


def entries_and_resolver(env):
    """Entries of an environment, and Kedro's resolver of their patterns."""
    entries = {name: entry for name, entry in configured("catalog", env).items() if not name.startswith("_")}
    return entries, CatalogConfigResolver({name: dict(entry) for name, entry in entries.items()}, {"study_storage": {}})


def entries_of_datasets(env):
    """Dataset of the pipelines -> name of its entry, None where there is none."""
    entries, resolver = entries_and_resolver(env)
    datasets = {name for pipeline in pipelines_of(env).values() for name in pipeline.datasets()}
    return {
        name: name if name in entries else resolver.match_dataset_pattern(name)
        for name in datasets
        if not name.startswith("params:")
    }


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_every_dataset_of_the_pipelines_is_in_the_catalog(env):
    """A missing entry would silently stay in memory and be lost at the end of the run."""
    missing = {name for name, entry in entries_of_datasets(env).items() if entry is None}
    assert missing <= {"parameters"}  # Kedro's own dataset of all parameters


def test_every_entry_is_of_a_dataset_of_the_pipelines(monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", "/data")
    used = {entry for env in ("base", "jump_example", "dcm") for entry in entries_of_datasets(env).values()}
    # No model of these environments reads a table of features.
    assert set(entries_and_resolver("base")[0]) - used == {"{table}_features"}


@pytest.mark.parametrize(
    ("dataset", "entry"),
    [
        ("random.metrics", "{split}.metrics"),
        ("random.corrupted_probing_metrics", "{split}.{task}_metrics"),
        ("random_tuned.metrics", "{split}.metrics"),
        ("random_tuned.fingerprints", "{split}_tuned.fingerprints"),
        ("random_tuned.settings", "{split}_tuned.settings"),
        ("random_tuned.cloome.checkpoint", "{split}.{model}.checkpoint"),
        ("random.search_history_figure", "{split}.search_{name}_figure"),
        ("random.training_figure", "{split}.{name}_figure"),
        ("random.tuning_part", "{split}.tuning_part"),
        ("random.training_part", "{split}.{name}_part"),
        ("data_text", "{name}_text"),
    ],
)
def test_of_several_patterns_the_closest_is_taken(dataset, entry):
    entries, resolver = entries_and_resolver("base")
    assert entry in entries
    assert resolver.match_dataset_pattern(dataset) == entry


def test_results_of_models_keep_variants_and_seeds_apart(catalog):
    searched = ("search_store", "trials", "trial_epochs", "importances", "best_parameters")  # of all seeds
    drawn = ("search_{name}_figure", "tuning_part", "tuning_summary")
    of_variants = {f"{{split}}.{dataset}" for dataset in (*searched, *drawn)}
    over_seeds = {"metrics_of_seeds", "seeds_metrics", "seeds_summary", "run_store"}
    over_seeds |= {name for name in catalog if "comparison" in name or name in ("replicate_metrics", "later_parts")}
    over_seeds |= {name for name in catalog if name.startswith("screen_check")}  # before anything is trained
    over_seeds |= {"well_quality", "position_effects", "illumination_evenness"}
    over_seeds |= {*(name for name in catalog if "average_precision" in name)}
    over_seeds |= {name for name in catalog if name.startswith("data_report")}  # the page of the screen
    for name, entry in catalog.items():
        if name in {"published_checkpoint", "structure_checkpoints"} | over_seeds | of_variants:
            continue
        if folder_of(entry) in {"06_models", "07_model_output", "08_reporting"}:
            assert re.search(r"/(default|retrieval|profile_model)/seed_0(/|$)", entry["filepath"]), name
        else:
            assert "seed_" not in entry["filepath"], name


@pytest.mark.parametrize(
    ("env", "given", "variant"),
    [
        ("base", {}, "default/seed_0"),
        ("base", {"seed": 3, "variant": "mine"}, "mine/seed_3"),
        ("paper", {}, "retrieval/seed_0"),
        ("paper", {"preset": "bioactivity"}, "bioactivity/seed_0"),
        ("paper", {"preset": "bioactivity", "variant": "mine"}, "mine/seed_0"),
        ("profile_model", {"seed": 1}, "profile_model/seed_1"),
    ],
)
def test_a_variant_is_the_preset_unless_it_is_named(env, given, variant):
    entries = configured("catalog", env, **given)
    assert f"/{{split}}/{variant}/" in entries["{split}.metrics"]["filepath"]
    assert f"/{variant}/" in entries["report"]["filepath"]
    searched = entries["{split}.trials"]["filepath"]
    assert f"/{variant.split('/')[0]}/study/" in searched
    assert "seed" not in searched


def test_no_two_datasets_are_written_to_one_place():
    _, resolver = entries_and_resolver("base")
    written = set().union(*(pipeline.all_outputs() for pipeline in pipelines_of("base").values()))
    by_path: dict[str, list[str]] = {}
    for name in written:
        by_path.setdefault(resolver.resolve_pattern(name)["filepath"], []).append(name)
    assert {path: names for path, names in by_path.items() if len(names) > 1} == {}

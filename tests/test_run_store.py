"""The record of trainings."""

import json
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from cloome_kedro.parameters import RidgeParameters
from cloome_kedro.run_store import RunStore, Training, flat, read_runs, recorded

EXAMPLES = pd.DataFrame({"split_hash": ["5453509c1631f2f6"]})
RIDGE = RidgeParameters.model_validate(
    {
        "kind": "ridge",
        "field": {"view": "profiles"},
        "compound": {"view": {"name": "structures", "sets": ["a", "b"]}},
        "alphas": [1, 2],
    }
)
RESULT = {"weights": "w1", "data_hash": "d1", "selected_by": "top1", "validation": {"validation_top1": 0.25}}


def training(step="training", place="random/cloome", seed=0):
    return Training(step, place, seed, RIDGE, EXAMPLES)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "screen" / "runs.parquet" / "mine")


def test_a_training_is_one_row(store):
    with store.open(training(seed=3)) as run:
        run.finish(**RESULT, epoch=4, epochs=10)
    (row,) = read_runs(store.folder).to_dict(orient="records")
    assert (row["split"], row["model"], row["variant"], row["seed"]) == ("random", "cloome", "mine", 3)
    assert (row["split_hash"], row["data_hash"], row["weights"]) == ("5453509c1631f2f6", "d1", "w1")
    assert (row["step"], row["epoch"], row["epochs"], row["selected_by"]) == ("training", 4, 10, "top1")
    assert row["seconds"] >= 0
    assert json.loads(row["validation"]) == {"validation_top1": 0.25}
    parameters = json.loads(row["parameters"])
    assert parameters["compound.view.name"] == "structures"
    assert parameters["compound.view.sets"] == ["a", "b"]
    assert parameters["alphas"] == [1, 2]
    assert pd.Timestamp(row["started"]).tzinfo is not None


def test_the_folder_is_one_table_for_pandas_too(store):
    for seed in range(3):
        with store.open(training("ridge", seed=seed)) as run:
            run.finish(**RESULT)
    with RunStore(store.folder.parent / "other").open(training()) as run:
        run.finish(**RESULT, epoch=1, epochs=2)
    table = pd.read_parquet(store.folder.parent)
    assert sorted(table["seed"]) == [0, 0, 1, 2]
    assert set(table["run"]) == set(read_runs(store.folder.parent)["run"])
    assert math.isnan(table.set_index("step").loc["ridge", "epoch"].iloc[0])


@pytest.mark.parametrize("error", [ValueError("no data"), KeyboardInterrupt()])
def test_a_failed_or_interrupted_training_leaves_no_row(store, error):
    with pytest.raises(type(error)), store.open(training()):
        raise error
    assert read_runs(store.folder).empty


def test_a_training_that_is_used_again_has_one_row(store):
    for _ in range(2):
        with store.open(training()) as run:
            run.finish(**RESULT, reused=True)
    assert len(read_runs(store.folder)) == 1, "the first one had no row, such as that of an older version"
    for change in ({"seed": 1}, {"place": "scaffold/cloome"}, {"step": "pre-training"}):
        with store.open(training(**change)) as run:
            run.finish(**RESULT, reused=True)
    with store.open(training()) as run:
        run.finish(**RESULT | {"weights": "w2"}, reused=True)
    assert len(read_runs(store.folder)) == 5
    with store.open(training()) as run:
        run.finish(**RESULT, reused=False)
    assert len(read_runs(store.folder)) == 6, "it was trained again"


def test_a_damaged_file_is_left_out(store, caplog):
    with store.open(training()) as run:
        run.finish(**RESULT)
    (store.folder / "20260101-000000-dead.parquet").write_bytes(b"no parquet")
    assert len(read_runs(store.folder)) == 1
    assert "20260101-000000-dead.parquet is damaged" in caplog.text


def test_there_may_be_no_store():
    with recorded(None, training()) as run:
        run.finish(**RESULT)
        assert run.watch is None
    assert read_runs("/no/such/folder").empty


def test_the_place_may_begin_with_a_seed():
    """A comparison trains several seeds in one folder."""
    assert training(place="seed_2/scaffold/study.cloome").split == "scaffold"
    assert training(place="seed_2/scaffold/study.cloome").model == "study.cloome"


def test_the_commit_is_that_of_the_project(store, monkeypatch):
    monkeypatch.setattr("cloome_kedro.provenance.commit", lambda folder: f"abc in {folder.name}")
    with store.open(training()) as run:
        run.finish(**RESULT)
    assert read_runs(store.folder)["commit"].tolist() == ["abc in mine"]


def test_nested_settings_are_named_by_dots():
    assert flat({"a": {"b": {"c": None}}, "d": {}}) == {"a.b.c": None}
    assert flat(SimpleNamespace(x={"y": [1]}).__dict__) == {"x.y": [1]}

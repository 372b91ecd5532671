"""Tracking by MLflow: with the package, without it, and with a server that is away."""

import pickle
import shutil
import socket
import time

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.parameters import ModelParameters
from cloome_kedro.run_store import RunStore, Training, read_runs
from cloome_kedro.tracking import Tracker, shown
from small_models import IMAGE_MODEL

EXAMPLES = pd.DataFrame({"split_hash": ["5453509c1631f2f6"]})
MODEL = ModelParameters.model_validate(
    {**IMAGE_MODEL, "fit": {"epochs": 2, "batch_size": 8, "warmup_steps": 1}, "selected_by": "top1"}
)
RESULT = {
    "weights": "w1",
    "data_hash": "d1",
    "selected_by": "top1",
    "validation": {"validation_top1": 0.25},
    "epoch": 1,
    "epochs": 2,
}
EPOCHS = [
    {"epoch": 0, "step": 5, "train_loss": 2.0, "validation_top1": 0.125, "gradient_norm": np.nan},
    {"epoch": 1, "step": 10, "train_loss": 1.5, "validation_top1": 0.25, "gradient_norm": 0.5},
]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """A database of MLflow without runs, since making one takes seconds."""
    mlflow = pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def url(tmp_path, empty_database):
    (tmp_path / "mlflow").mkdir()
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow')}"


@pytest.fixture
def closed_port(monkeypatch):
    """Address of a server that is away."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://me:secret@127.0.0.1:{port}"


def train(store, place="random/cloome", seed=0, **result):
    """A training of two epochs, as the node `train` records it."""
    with store.open(Training("training", place, seed, MODEL, EXAMPLES)) as run:
        for row in EPOCHS:
            if run.watch is not None:
                run.watch(row)
        run.finish(**RESULT | result)


def runs_of(url, experiment="screen"):
    from mlflow import MlflowClient

    client = MlflowClient(url)
    found = client.get_experiment_by_name(experiment)
    runs = [] if found is None else client.search_runs([found.experiment_id], max_results=100)
    return client, {run.info.run_name: run for run in runs}


def test_a_training_is_a_run_below_its_study(tmp_path, url):
    train(RunStore(tmp_path / "screen/runs.parquet/mine", url), seed=2)
    client, runs = runs_of(url)
    run, study = runs["random cloome training"], runs["mine seed 2"]
    assert run.info.status == study.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
    tags = {key: run.data.tags[key] for key in ("split_hash", "data_hash", "weights", "seed", "variant", "step")}
    expected = {"split_hash": "5453509c1631f2f6", "data_hash": "d1", "weights": "w1", "seed": "2", "variant": "mine"}
    assert tags == {**expected, "step": "training"}
    assert "commit" in run.data.tags
    assert run.data.params["fit.batch_size"] == "8"
    assert run.data.params["objective.name"] == "info_nce"
    losses = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in losses] == [(0, 2.0), (1, 1.5)]
    assert [m.step for m in client.get_metric_history(run.info.run_id, "gradient_norm")] == [1], "NaN is left out"
    assert run.data.metrics["best_validation_top1"] == 0.25


def test_metrics_arrive_while_the_training_runs(tmp_path, url):
    store = RunStore(tmp_path / "screen/runs.parquet/mine", url)
    with store.open(Training("training", "random/cloome", 0, MODEL, EXAMPLES)) as run:
        watch = pickle.loads(pickle.dumps(run.watch))  # several devices train in processes of their own
        watch(EPOCHS[0])
        _, runs = runs_of(url)
        assert runs["random cloome training"].info.status == "RUNNING"
        assert runs["random cloome training"].data.metrics["validation_top1"] == 0.125
        run.finish(**RESULT)


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_training_that_ends_early_says_so(tmp_path, url, error, status):
    store = RunStore(tmp_path / "screen/runs.parquet/mine", url)
    with pytest.raises(type(error)), store.open(Training("training", "random/cloome", 0, MODEL, EXAMPLES)):
        raise error
    assert runs_of(url)[1]["random cloome training"].info.status == status


def test_a_training_that_is_used_again_is_not_tracked_twice(tmp_path, url):
    store = RunStore(tmp_path / "screen/runs.parquet/mine", url)
    train(store)
    train(store, reused=True)
    client, _ = runs_of(url)
    experiment = client.get_experiment_by_name("screen").experiment_id
    assert len(client.search_runs([experiment], "tags.weights = 'w1'")) == 1


def test_results_are_added_to_the_study_and_to_the_training(tmp_path, url):
    train(RunStore(tmp_path / "screen/runs.parquet/mine", url))
    tracker, study = Tracker(url, "screen"), {"variant": "mine", "seed": 0}
    (tmp_path / "accuracy.png").write_bytes(b"png")
    (tmp_path / "metrics.parquet").write_bytes(b"parquet")
    files = {tmp_path / "accuracy.png": "random", tmp_path / "metrics.parquet": "random"}
    tracker.results(study, files, {"random/CLOOME/image → compound: top-1": 0.5, "random/AUC > 0.9": 7})
    tracker.final_metrics("w1", "random", {"test/top-1": 0.5})
    tracker.final_metrics("other weights", "random", {"test/top-1": 0.9})
    client, runs = runs_of(url)
    run = runs["mine seed 0"]
    assert run.data.metrics == {"random/CLOOME/image to compound: top-1": 0.5, "random/AUC above 0.9": 7}
    artifacts = client.list_artifacts(run.info.run_id, "random")
    assert [artifact.path for artifact in artifacts] == ["random/accuracy.png", "random/metrics.parquet"]
    assert (tmp_path / "mlflow/mlflow_artifacts" / run.info.run_id / "artifacts/random/accuracy.png").is_file()
    assert runs["random cloome training"].data.metrics["test/top-1"] == 0.5


def test_trials_are_nested_runs(url):
    trials = pd.DataFrame(
        {
            "study": "s/random/tpe",
            "split": "random",
            "tunes": "cloome",
            "metric": "top1",
            "split_hash": "h",
            "number": [0, 1, 2, 3],
            "state": ["COMPLETE", "PRUNED", "FAIL", "RUNNING"],
            "value": [0.5, 0.25, np.nan, np.nan],
            "best": [True, False, False, False],
            "fit.epochs": pd.array([3, 5, 7, 9], "Int64"),
            "objective.name": ["info_nce", None, "cloob", "cloob"],
        }
    )
    epochs = pd.DataFrame({"trial": [0, 0, 1], "epoch": [0, 1, 0], "value": [0.375, 0.5, 0.25]})
    study = {"variant": "mine", "seed": 0}
    for _ in range(2):
        Tracker(url, "screen").search(study, trials, epochs)
    client, runs = runs_of(url)
    assert len(runs) == 5, "the study, the search, and three trials that have ended"
    search = runs["search s/random/tpe"]
    assert search.data.tags["mlflow.parentRunId"] == runs["mine seed 0"].info.run_id
    best = runs["trial 0"]
    assert best.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert best.data.params == {"fit.epochs": "3", "objective.name": "info_nce"}
    assert [m.value for m in client.get_metric_history(best.info.run_id, "top1")] == [0.375, 0.5]
    assert best.data.tags["best"] == "True"
    assert runs["trial 1"].data.params == {"fit.epochs": "5"}
    assert runs["trial 2"].info.status == "FAILED"
    trials.loc[3, ["state", "value"]] = ["COMPLETE", 0.75]
    Tracker(url, "screen").search(study, trials, epochs)
    assert set(runs_of(url)[1]) == {*runs, "trial 3"}


def test_a_server_that_is_away_gives_a_warning_and_no_lost_training(tmp_path, closed_port, caplog):
    pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    store = RunStore(tmp_path / "screen/runs.parquet/mine", closed_port)
    started = time.monotonic()
    for seed in range(3):
        train(store, seed=seed)
    warnings = [record.getMessage() for record in caplog.records if record.name == "cloome_kedro.tracking"]
    assert len(warnings) == 1, "the first failure is the last request"
    assert warnings[0].startswith(f"MLflow at {shown(closed_port)} does not answer or refuses")
    assert "secret" not in warnings[0]
    assert read_runs(store.folder)["seed"].tolist() == [0, 1, 2]
    assert time.monotonic() - started < 60


def test_a_server_that_goes_away_during_a_training_does_not_stop_it(tmp_path, url, caplog, monkeypatch):
    store = RunStore(tmp_path / "screen/runs.parquet/mine", url)
    with store.open(Training("training", "random/cloome", 0, MODEL, EXAMPLES)) as run:
        run.watch(EPOCHS[0])
        client = store.tracker._client
        monkeypatch.setattr(client, "log_batch", lambda *args, **named: (_ for _ in ()).throw(OSError("gone")))
        run.watch(EPOCHS[1])
        run.finish(**RESULT)
    assert len(read_runs(store.folder)) == 1
    assert [r.getMessage() for r in caplog.records if "(gone)" in r.getMessage()]


@pytest.mark.parametrize("given", [None, "", "sqlite:///mlflow.db"])
def test_without_mlflow_or_an_address_nothing_is_tracked(tmp_path, monkeypatch, given, caplog):
    monkeypatch.chdir(tmp_path)
    if given:
        monkeypatch.setattr("cloome_kedro.tracking.find_spec", lambda name: None)
    store = RunStore(tmp_path / "screen/runs.parquet/mine", given)
    train(store)
    assert not store.tracker.active
    assert len(read_runs(store.folder)) == 1
    assert list(tmp_path.glob("*.db")) == []
    assert caplog.text == ""

"""The list of runs, and the comparison of two."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.run_tables import difference, final_metrics, of_method, run_list

RUN = {
    "started": "2026-01-01 10:00:00+00:00",
    "seconds": 1.0,
    "step": "training",
    "split": "random",
    "variant": "default",
    "seed": 0,
    "model": "cloome",
    "version": "1",
    "commit": "abc (clean)",
    "split_hash": "h",
    "data_hash": "d",
    "selected_by": "top1",
    "epoch": 1.0,
    "epochs": 2.0,
}


def run(name, weights="w", parameters=None, **changes):
    texts = {"parameters": json.dumps(parameters or {}), "validation": json.dumps({"validation_top1": 0.5})}
    return {"run": name, "weights": weights, **RUN, **texts, **changes}


def metric(value, metric="top-1", method="CLOOME", draws=3, **changes):
    row = {
        "split": "random",
        "task": "retrieval",
        "method": method,
        "images": "clean",
        "direction": "image to compound",
        "pool": "sampled",
        "shown_by": "field",
        "excluded": None,
        "draws": draws,
        "candidates": 100.0,
        "metric": metric,
        "value": value,
        "low": np.nan,
        "high": np.nan,
        "interval": "none",
        "n": 5,
        "compounds": 5,
        "successes": pd.NA,
        "spread": np.nan,
        "chance": 0.01,
        "split_hash": "h",
    }
    return row | changes


def table(*rows):
    return schemas.metrics.validate(pd.DataFrame(list(rows)))


def test_of_a_method_the_means_over_draws_are_taken():
    metrics = table(
        metric(0.9, draws=1),
        metric(0.4),
        metric(0.3, direction="compound to image"),
        metric(0.2, pool="full"),
        metric(0.8, pool="same plate"),
        metric(0.7, shown_by="mean"),
        metric(0.1, method="Other"),
        metric(0.6, images="gaussian_blur"),
        metric(0.5, task="zero-shot MoA", direction=None, pool="full", excluded="none"),
        metric(0.55, task="zero-shot MoA", direction=None, pool="full", excluded="plate"),
        metric(0.72, "mean AUC", task="probing", direction=None, pool=None, shown_by="mean", draws=1),
    )
    assert of_method(metrics, "CLOOME") == {
        "image → compound: top-1 (sampled pool)": 0.4,
        "compound → image: top-1 (sampled pool)": 0.3,
        "image → compound: top-1 (full pool)": 0.2,
        "zero-shot MoA: top-1": 0.5,
        "probing: mean AUC": 0.72,
    }


@pytest.fixture
def place(tmp_path):
    """Metrics and embeddings of one model, which has the weights `w`."""
    folder = tmp_path / "random.cloome.field_embeddings"
    folder.mkdir()
    (folder / "meta.json").write_text(json.dumps({"weights": "w"}))
    table(metric(0.4)).to_parquet(tmp_path / "random.metrics")
    os.utime(folder / "meta.json", (1, 1))
    return lambda dataset, run: tmp_path / dataset


def test_test_metrics_are_those_of_the_evaluated_weights(place, tmp_path):
    assert final_metrics(run("a"), "CLOOME", place) == {"image → compound: top-1 (sampled pool)": 0.4}
    assert final_metrics(run("a", weights="older"), "CLOOME", place) == {}
    assert final_metrics(run("a", split="scaffold"), "CLOOME", place) == {}
    os.utime(tmp_path / "random.metrics", (0, 0))
    assert final_metrics(run("a"), "CLOOME", place) == {}, "the model was embedded anew, and not evaluated yet"


def test_runs_are_listed_with_the_latest_first():
    runs = pd.DataFrame([run("a"), run("b", validation="{}", selected_by="loss")])
    both = {f"{direction}: top-1 (sampled pool)": value for direction, value in
            (("image → compound", 0.2), ("compound → image", 0.4))}  # fmt: skip
    listed = run_list(runs, {"a": both})
    assert listed["run"].tolist() == ["b", "a"]
    assert listed["validation"].tolist() == ["loss", "top1 0.500"]
    assert listed["test_top1"].tolist() == pytest.approx([np.nan, 0.3], nan_ok=True)


def test_two_runs_show_what_differs_and_all_results():
    first = run("a", parameters={"fit.epochs": 10, "fit.batch_size": 32, "objective.name": "info_nce"})
    second = run("b", "v", parameters={"fit.epochs": 20, "fit.batch_size": 32, "kind": None}, seed=1)
    compared = difference(first, second, {"a": {"probing: mean AUC": 0.71234}})
    assert compared.to_numpy().tolist() == [
        ["fact", "seed", "0", "1"],
        ["fact", "weights", "w", "v"],
        ["parameter", "fit.epochs", "10", "20"],
        ["parameter", "objective.name", "info_nce", ""],
        ["validation", "validation_top1", "0.5", "0.5"],
        ["test", "probing: mean AUC", "0.7123", ""],
    ]
    with pytest.raises(ValueError, match="a is given twice"):
        difference(first, first, {})

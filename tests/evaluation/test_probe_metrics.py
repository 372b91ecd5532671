"""Summaries of probes: means over assays, their intervals, chance, and paired differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.assays import Probed, probe
from cloome_kedro.evaluation.auc import weighted_aucs
from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
from cloome_kedro.words import CLEAN

COMPARISONS = [(("CLOOME", CLEAN), ("Untrained", CLEAN), "Untrained"), (("CLOOME", "same"), ("CLOOME", CLEAN), "clean")]
COUNTS = {f"{fold}_{kind}": 9 for fold in ("train", "validation", "test") for kind in ("actives", "inactives")}


def test_metrics_are_of_the_assays_that_are_scored(probed):
    metrics, differences = summarise_probes(probed, COMPARISONS, ProbeSummary(resamples=300))
    assert not metrics.duplicated(["method", "images", "metric"]).any()
    found = metrics.set_index(["method", "images", "metric"]).sort_index()
    table = probed.table.query("method == 'CLOOME' and images == 'clean' and scored")
    ours = found.loc[("CLOOME", CLEAN)]
    assert ours.loc["mean AUC", "value"] == pytest.approx(table["auc"].mean())
    assert ours.loc["SD AUC", "value"] == pytest.approx(table["auc"].std())
    assert ours.loc["mean F1", "value"] == pytest.approx(table["f1"].mean())
    assert ours.loc["mean average precision", "value"] == pytest.approx(table["average_precision"].mean())
    assert ours.loc["SD MCC", "value"] == pytest.approx(table["mcc"].std())
    assert ours.loc["AUC > 0.7", "value"] == (table["auc"] > 0.7).sum()
    assert ours.loc["assays not scored", "value"] == 1
    assert ours.loc["assays not scored", "n"] == 4
    assert (ours.drop("assays not scored")["n"] == 3).all()
    assert ours.loc["mean AUC", "low"] < ours.loc["mean AUC", "value"] < ours.loc["mean AUC", "high"]
    tested = int((~np.isnan(probed.labels[:, :3])).any(axis=1).sum())  # the fourth assay is not scored
    assert set(ours["compounds"]) == {tested}

    noise = found.loc[("Untrained", CLEAN, "mean AUC")]
    assert noise["low"] < 0.5 < noise["high"]
    better, same = differences.to_dict("records")
    gap = ours.loc["mean AUC", "value"] - noise["value"]
    assert better["difference"] == pytest.approx(gap)
    assert 0 < better["low"] < gap < better["high"]
    assert [same[name] for name in ("difference", "low", "high")] == [0, 0, 0]
    assert (better["against"], same["against"]) == ("Untrained", "clean")
    assert (better["n"], better["compounds"]) == (3, tested)


def test_chance_is_of_scores_without_information(probed):
    metrics, _ = summarise_probes(probed, [], ProbeSummary(resamples=100))
    random = metrics.query("method == 'Random' and images == 'clean'").set_index("metric")
    table = probed.table.query("method == 'CLOOME' and images == 'clean' and scored")
    actives, inactives = table["test_actives"], table["test_inactives"]
    assert random.loc["mean AUC", "value"] == 0.5
    assert random.loc["mean average precision", "value"] == pytest.approx((actives / (actives + inactives)).mean())
    generator = np.random.default_rng(0)
    above = 0.0
    for n_actives, n_inactives in zip(actives, inactives, strict=True):
        scores = generator.random((20_000, n_actives + n_inactives))
        ranks = scores.argsort(axis=1).argsort(axis=1)[:, :n_actives].sum(axis=1)
        above += ((ranks - n_actives * (n_actives - 1) / 2) / (n_actives * n_inactives) > 0.7).mean()
    assert random.loc["AUC > 0.7", "value"] == pytest.approx(above, abs=0.05)


def test_published_rule_counts_an_unscorable_assay_as_half(probed):
    metrics, differences = summarise_probes(probed, COMPARISONS, ProbeSummary("half", resamples=100))
    found = metrics.set_index(["method", "images", "metric"]).sort_index().loc[("CLOOME", CLEAN)]
    table = probed.table.query("method == 'CLOOME' and images == 'clean'")
    assert found.loc["mean AUC", "value"] == pytest.approx(table["auc"].fillna(0.5).mean())
    assert found.loc["mean AUC", "n"] == 4
    assert found.loc["SD AUC", "value"] == pytest.approx(table["auc"].fillna(0.5).std())
    assert found.loc["mean F1", "value"] == pytest.approx(table["f1"].mean())
    assert found.loc["mean F1", "n"] == 3
    assert (differences["n"] == 4).all()


def test_chance_of_fields_has_no_counts_since_they_are_not_independent(planted):
    features, inputs = planted
    by_field = probe(features, replace(inputs, labels=inputs.labels[["easy"]], level="field"))
    metrics, _ = summarise_probes(by_field, [], ProbeSummary(resamples=100))
    assert set(metrics.query("method == 'Random'")["metric"]) == {"mean AUC", "mean average precision", "mean MCC"}
    assert "SD AUC" not in set(metrics["metric"]), "one assay has no spread"


def test_intervals_are_wider_than_if_fields_were_independent(planted):
    """Labels are of compounds: four fields each do not make four times the evidence."""
    features, inputs = planted
    by_field = probe({"CLOOME": features["CLOOME"]}, replace(inputs, level="field"))
    each = replace(by_field, compounds=np.arange(len(by_field.compounds)))
    clustered, naive = (
        summarise_probes(p, [], ProbeSummary(resamples=400))[0]
        .query("metric == 'mean AUC' and method == 'CLOOME'")
        .iloc[0]
        for p in (by_field, each)
    )
    assert clustered["high"] - clustered["low"] > 1.3 * (naive["high"] - naive["low"])


def test_resamples_that_lack_a_class_do_not_shift_the_interval():
    """An assay with one active is missing in a third of the resamples; its AUC of 0 is in the mean all the same."""
    names = np.arange(80)
    labels = np.full((80, 2), np.nan)
    labels[:60, 0] = np.tile([0.0, 1.0], 30)
    labels[60:, 1] = np.r_[1.0, np.zeros(19)]
    scores = np.where(np.isnan(labels), np.nan, np.random.default_rng(0).random((80, 2)) + 0.5 * labels)
    scores[60, 1] = -1.0
    auc = [weighted_aucs(labels[:60, 0], scores[:60, 0], np.ones(60))[0], 0.0]
    rows = [
        {"assay": f"a{i}", "scored": True, "auc": auc[i], "f1": 0.0, "average_precision": 0.0, "mcc": 0.0, **COUNTS}
        for i in range(2)
    ]
    table = pd.DataFrame(rows).assign(method="CLOOME", images=CLEAN, shown_by="mean")
    metrics, _ = summarise_probes(Probed(table, names, labels, {("CLOOME", CLEAN): scores}), [], ProbeSummary())
    mean = metrics.set_index(["method", "metric"]).loc[("CLOOME", "mean AUC")]
    assert mean["value"] == pytest.approx(np.mean(auc))
    assert mean["low"] < mean["value"] < mean["high"] < np.mean(auc) + 0.15


def test_intervals_cover_the_truth_with_few_actives_too():
    """Assays of four actives and twenty inactives with useless scores: the mean AUC is 0.5."""
    names, assays, covered = np.arange(240), 10, 0
    labels = np.full((240, assays), np.nan)
    for assay in range(assays):
        labels[24 * assay : 24 * (assay + 1), assay] = np.r_[np.ones(4), np.zeros(20)]
    for seed in range(150):
        scores = np.where(np.isnan(labels), np.nan, np.random.default_rng(seed).random(labels.shape))
        measured = (np.flatnonzero(~np.isnan(column)) for column in labels.T)
        aucs = [weighted_aucs(labels[m, i], scores[m, i], np.ones(24))[0] for i, m in enumerate(measured)]
        table = pd.DataFrame({"assay": range(assays), "scored": True, "auc": aucs}).assign(
            f1=0.0, average_precision=0.0, mcc=0.0, method="CLOOME", images=CLEAN, shown_by="mean", **COUNTS
        )
        probed = Probed(table, names, labels, {("CLOOME", CLEAN): scores})
        mean = summarise_probes(probed, [], ProbeSummary(resamples=200, seed=seed))[0].iloc[0]
        covered += mean["low"] < 0.5 < mean["high"]
    assert 0.9 <= covered / 150 <= 0.99


def test_tables_fit_their_schemas(probed):
    metrics, differences = summarise_probes(probed, COMPARISONS, ProbeSummary(resamples=50))
    columns = {"split": "random", "split_hash": "0" * 16}
    schemas.metrics.validate(metrics.assign(**columns))
    schemas.differences.validate(differences.assign(**columns))


def test_the_confidence_widens_intervals(probed):
    lengths = []
    for confidence in (0.5, 0.99):
        metrics, _ = summarise_probes(probed, [], ProbeSummary(confidence=confidence, resamples=200))
        mean = metrics.query("metric == 'mean AUC' and method == 'CLOOME' and images == 'clean'").iloc[0]
        lengths.append(mean["high"] - mean["low"])
    assert lengths[1] > 2 * lengths[0]

"""Labels joined to compounds, and probes of planted signals."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.assays import CLEAN, Probed, labels_of_screen, probe
from cloome_kedro.evaluation.auc import weighted_aucs
from cloome_kedro.evaluation.probe_metrics import summarise_probes

KEYS = pd.DataFrame({"compound_id": ["a1", "a2", "b1", "c1"], "inchikey": ["A", "A", "B", "C"]})
COMPOUNDS, FIELDS = 300, 4
C_GRID = [1e-2, 1.0, 1e2]


def test_several_ids_of_a_compound_add_up_unless_they_disagree():
    table = pd.DataFrame(
        {
            "compound_id": ["a1", "a2", "b1", "x9"],
            "one": [1, 0, 1, 1],
            "two": [np.nan, 1, 0, 1],
            "three": [0, 0, None, 1],
        }
    )
    found = labels_of_screen(table, KEYS, ["A", "B", "C"])
    expected = pd.DataFrame({"one": [np.nan, 1], "two": [1.0, 0], "three": [0.0, np.nan]}, index=["A", "B"])
    pd.testing.assert_frame_equal(found.labels, expected, check_names=False)
    assert found.conflicts == 1
    assert found.rows == 3


def test_labels_by_inchikey_need_no_ids():
    table = pd.DataFrame({"inchikey": ["A", "B", "Z"], "one": [1.0, np.nan, 0.0]})
    found = labels_of_screen(table, KEYS.iloc[:0], ["A", "B", "C"])
    assert found.labels.to_dict() == {"one": {"A": 1.0}}
    assert found.rows == 2
    assert found.conflicts == 0


def test_a_screen_without_labels_has_none():
    for table in (pd.DataFrame(columns=["compound_id"]), pd.DataFrame({"compound_id": ["x9"], "one": [1.0]})):
        assert labels_of_screen(table, KEYS, ["A"]).labels.empty


@pytest.fixture(scope="module")
def planted():
    """300 compounds, four fields each; assays `easy` and `hard` follow the first feature, `noise` nothing,
    `rare` has no active test compound."""
    generator = np.random.default_rng(0)
    names = np.array([f"compound{i:03d}" for i in range(COMPOUNDS)])
    fold_of = np.repeat(["train", "validation", "test"], [180, 60, 60])
    latent = generator.normal(size=(COMPOUNDS, 5))
    compounds = np.repeat(np.arange(COMPOUNDS), FIELDS)
    good = latent[compounds] + generator.normal(0, 1, (len(compounds), 5))
    bad = generator.normal(size=(len(compounds), 5))
    labels = pd.DataFrame(
        {
            "easy": latent[:, 0] > 0.5,
            "hard": latent[:, 0] + generator.normal(0, 2, COMPOUNDS) > 0,
            "noise": generator.random(COMPOUNDS) < 0.5,
            "rare": (generator.random(COMPOUNDS) < 0.3) & (fold_of != "test"),
        },
        index=names,
    ).astype(float)
    labels = labels.mask(generator.random(labels.shape) < 0.3)
    labels.loc["compound299"] = np.nan
    return {"CLOOME": good, "Untrained": bad}, names[compounds], fold_of[compounds], labels


@pytest.fixture(scope="module")
def probed(planted):
    features, compounds, folds, labels = planted
    test = folds == "test"
    corrupted = {"worse": {"CLOOME": features["Untrained"][test]}, "same": {"CLOOME": features["CLOOME"][test]}}
    return probe(features, compounds, folds, labels, C_GRID, corrupted=corrupted)


def test_probes_find_what_was_planted(probed):
    table = probed.table.set_index(["method", "images", "assay"])
    assert table.index.is_unique
    assert len(table) == 4 * 4
    assert set(table["shown_by"]) == {"mean"}
    assert table.loc[("CLOOME", CLEAN, "easy"), "auc"] > 0.9
    assert table.loc[("CLOOME", CLEAN, "hard"), "auc"] > table.loc[("Untrained", CLEAN, "hard"), "auc"]
    rare = table.xs("rare", level="assay")
    assert not rare["scored"].any()
    assert rare["reason"].notna().all()
    assert (rare["test_actives"] == 0).all()


def test_corrupted_images_are_scored_by_the_probes_of_clean_ones(probed):
    np.testing.assert_array_equal(probed.scores["CLOOME", "same"], probed.scores["CLOOME", CLEAN])
    worse = probed.table.query("images == 'worse' and scored").set_index("assay")
    clean = probed.table.query("images == 'clean' and method == 'CLOOME' and scored").set_index("assay")
    assert (worse["c"] == clean["c"]).all()
    assert worse.loc["easy", "auc"] < clean.loc["easy", "auc"] - 0.2


def test_samples_are_labelled_compounds_or_their_fields(planted, probed):
    features, compounds, folds, labels = planted
    tested = labels.loc[sorted(set(compounds[folds == "test"]))].dropna(how="all")
    assert probed.compounds.tolist() == tested.index.tolist()
    np.testing.assert_array_equal(probed.labels, tested)
    assert "compound299" not in probed.compounds
    by_field = probe({"CLOOME": features["CLOOME"]}, compounds, folds, labels, C_GRID, level="field")
    assert by_field.compounds.tolist() == np.repeat(probed.compounds, FIELDS).tolist()
    np.testing.assert_array_equal(by_field.labels, np.repeat(probed.labels, FIELDS, axis=0))
    assert set(by_field.table["shown_by"]) == {"field"}
    ours = probed.table.query("method == 'CLOOME' and images == 'clean'").reset_index(drop=True)
    assert (by_field.table["test_actives"] == FIELDS * ours["test_actives"]).all()


def test_the_order_of_fields_does_not_matter_for_compounds(planted, probed):
    features, compounds, folds, labels = planted
    turned = np.random.default_rng(1).permutation(len(compounds))
    shuffled = {name: values[turned] for name, values in features.items()}
    found = probe(shuffled, compounds[turned], folds[turned], labels, C_GRID)
    assert found.compounds.tolist() == probed.compounds.tolist()
    np.testing.assert_allclose(found.scores["CLOOME", CLEAN], probed.scores["CLOOME", CLEAN], atol=1e-3)


COMPARISONS = [(("CLOOME", CLEAN), ("Untrained", CLEAN), "Untrained"), (("CLOOME", "same"), ("CLOOME", CLEAN), "clean")]


def test_metrics_are_of_the_assays_that_are_scored(probed):
    metrics, differences = summarise_probes(probed, COMPARISONS, resamples=300)
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
    metrics, _ = summarise_probes(probed, resamples=100)
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
    metrics, differences = summarise_probes(probed, COMPARISONS, unscorable="half", resamples=100)
    found = metrics.set_index(["method", "images", "metric"]).sort_index().loc[("CLOOME", CLEAN)]
    table = probed.table.query("method == 'CLOOME' and images == 'clean'")
    assert found.loc["mean AUC", "value"] == pytest.approx(table["auc"].fillna(0.5).mean())
    assert found.loc["mean AUC", "n"] == 4
    assert found.loc["SD AUC", "value"] == pytest.approx(table["auc"].fillna(0.5).std())
    assert found.loc["mean F1", "value"] == pytest.approx(table["f1"].mean())
    assert found.loc["mean F1", "n"] == 3
    assert (differences["n"] == 4).all()


def test_chance_of_fields_has_no_counts_since_they_are_not_independent(planted):
    features, compounds, folds, labels = planted
    by_field = probe(features, compounds, folds, labels[["easy"]], C_GRID, level="field")
    metrics, _ = summarise_probes(by_field, resamples=100)
    assert set(metrics.query("method == 'Random'")["metric"]) == {"mean AUC", "mean average precision", "mean MCC"}
    assert "SD AUC" not in set(metrics["metric"]), "one assay has no spread"


def test_intervals_are_wider_than_if_fields_were_independent(planted):
    """Labels are of compounds: four fields each do not make four times the evidence."""
    features, compounds, folds, labels = planted
    by_field = probe({"CLOOME": features["CLOOME"]}, compounds, folds, labels, C_GRID, level="field")
    each = type(by_field)(by_field.table, np.arange(len(by_field.compounds)), by_field.labels, by_field.scores)
    clustered, naive = (
        summarise_probes(p, resamples=400)[0].query("metric == 'mean AUC' and method == 'CLOOME'").iloc[0]
        for p in (by_field, each)
    )
    assert clustered["high"] - clustered["low"] > 1.3 * (naive["high"] - naive["low"])


def test_a_fold_without_labels_scores_nothing(planted):
    features, compounds, folds, labels = planted
    of_test = set(compounds[folds == "test"])
    none_tested = labels[~labels.index.isin(of_test)]
    probed = probe(features, compounds, folds, none_tested, C_GRID)
    assert len(probed.table) == 2 * 4
    assert not probed.table["scored"].any()
    metrics, differences = summarise_probes(probed, COMPARISONS[:1])
    assert metrics.empty
    assert differences.empty


def test_scores_give_the_areas_of_the_table(probed):
    """What the bootstrap resamples is what the table says."""
    for (method, images), scores in probed.scores.items():
        table = probed.table[(probed.table["method"] == method) & (probed.table["images"] == images)]
        for column, (assay, auc) in enumerate(zip(table["assay"], table["auc"], strict=True)):
            measured = ~np.isnan(probed.labels[:, column])
            if assay != "rare":
                labels = probed.labels[measured, column]
                assert weighted_aucs(labels, scores[measured, column], np.ones(len(labels)))[0] == pytest.approx(auc)


def test_resamples_that_lack_a_class_do_not_shift_the_interval():
    """An assay with one active is missing in a third of the resamples; its AUC of 0 is in the mean all the same."""
    names = np.arange(80)
    labels = np.full((80, 2), np.nan)
    labels[:60, 0] = np.tile([0.0, 1.0], 30)
    labels[60:, 1] = np.r_[1.0, np.zeros(19)]
    scores = np.where(np.isnan(labels), np.nan, np.random.default_rng(0).random((80, 2)) + 0.5 * labels)
    scores[60, 1] = -1.0
    auc = [weighted_aucs(labels[:60, 0], scores[:60, 0], np.ones(60))[0], 0.0]
    counts = {f"{fold}_{kind}": 9 for fold in ("train", "validation", "test") for kind in ("actives", "inactives")}
    rows = [
        {"assay": f"a{i}", "scored": True, "auc": auc[i], "f1": 0.0, "average_precision": 0.0, "mcc": 0.0, **counts}
        for i in range(2)
    ]
    table = pd.DataFrame(rows).assign(method="CLOOME", images=CLEAN, shown_by="mean")
    metrics, _ = summarise_probes(Probed(table, names, labels, {("CLOOME", CLEAN): scores}))
    mean = metrics.set_index(["method", "metric"]).loc[("CLOOME", "mean AUC")]
    assert mean["value"] == pytest.approx(np.mean(auc))
    assert mean["low"] < mean["value"] < mean["high"] < np.mean(auc) + 0.15


def test_intervals_cover_the_truth_with_few_actives_too():
    """Assays of four actives and twenty inactives with useless scores: the mean AUC is 0.5."""
    counts = {f"{fold}_{kind}": 9 for fold in ("train", "validation", "test") for kind in ("actives", "inactives")}
    names, assays, covered = np.arange(240), 10, 0
    labels = np.full((240, assays), np.nan)
    for assay in range(assays):
        labels[24 * assay : 24 * (assay + 1), assay] = np.r_[np.ones(4), np.zeros(20)]
    for seed in range(150):
        scores = np.where(np.isnan(labels), np.nan, np.random.default_rng(seed).random(labels.shape))
        measured = (np.flatnonzero(~np.isnan(column)) for column in labels.T)
        aucs = [weighted_aucs(labels[m, i], scores[m, i], np.ones(24))[0] for i, m in enumerate(measured)]
        table = pd.DataFrame({"assay": range(assays), "scored": True, "auc": aucs}).assign(
            f1=0.0, average_precision=0.0, mcc=0.0, method="CLOOME", images=CLEAN, shown_by="mean", **counts
        )
        probed = Probed(table, names, labels, {("CLOOME", CLEAN): scores})
        mean = summarise_probes(probed, resamples=200, seed=seed)[0].iloc[0]
        covered += mean["low"] < 0.5 < mean["high"]
    assert 0.9 <= covered / 150 <= 0.99


def test_an_assays_probe_does_not_depend_on_the_other_assays():
    """Few, nearly collinear features and weak signals: here solvers of many assays at once go astray first."""
    generator = np.random.default_rng(1)
    angle = np.pi / 2 * generator.uniform(0.3, 0.7, COMPOUNDS)
    features = {"Cell count only": np.column_stack([np.cos(angle), np.sin(angle)])}
    folds = np.repeat(["train", "validation", "test"], [180, 60, 60])
    names = np.array([f"compound{i:03d}" for i in range(COMPOUNDS)])
    rates = generator.uniform(0.05, 0.4, 30)
    labels = pd.DataFrame(generator.random((COMPOUNDS, 30)) < rates, index=names).astype(float).add_prefix("assay")
    labels = labels.mask(generator.random(labels.shape) < 0.3)
    grid = [10.0**power for power in range(-6, 7)]
    together = probe(features, names, folds, labels, grid).table
    alone = pd.concat([probe(features, names, folds, labels[[assay]], grid).table for assay in labels])
    same = together["c"].to_numpy() == alone["c"].to_numpy()  # validation AUCs of neighbouring C nearly tie
    assert same.mean() > 0.8
    np.testing.assert_allclose(together["auc"][same], alone["auc"][same], atol=1e-3)

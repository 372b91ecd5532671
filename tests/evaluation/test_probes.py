import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from cloome_kedro.evaluation import probes
from cloome_kedro.evaluation.probes import C_GRID, Labelled, fit_probes, validation_aucs


def screen(n=600, size=24, assays=6, seed=0, measured=0.6):
    """Features and labels of three folds, with assays from none to much signal."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, size)) / np.arange(1, size + 1) ** 0.5
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    score = x @ generator.standard_normal((size, assays)) * np.linspace(0, 8, assays)
    labels = (score + generator.logistic(size=score.shape) > 0.7).astype(float)
    labels[generator.random(labels.shape) > measured] = np.nan
    parts = np.split(np.arange(n), [n // 2, 3 * n // 4])
    return [values[part] for part in parts for values in (x.astype(np.float32), labels)]


def fit(data, **options):
    """Probes of one test matrix."""
    train, train_labels, validation, validation_labels, test, test_labels = data
    folds = Labelled(train, train_labels), Labelled(validation, validation_labels)
    return fit_probes(*folds, {"test": test}, test_labels, **options)["test"]


def sklearn_probe(train, train_labels, validation, validation_labels, test, test_labels, assay, grid=C_GRID):
    """Chosen C and scores as scikit-learn gives them, solved to the end."""

    def known(features, labels):
        rows = ~np.isnan(labels[:, assay])
        return features[rows].astype(float), labels[rows, assay]

    def fitted(c, x, y):
        return LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)

    (x, y), (vx, vy), (tx, ty) = (
        known(train, train_labels),
        known(validation, validation_labels),
        known(test, test_labels),
    )
    aucs = {c: roc_auc_score(vy, fitted(c, x, y).decision_function(vx)) for c in grid}
    refits = {c: fitted(c, np.concatenate([x, vx]), np.concatenate([y, vy])) for c in grid}
    return aucs, {c: refit.decision_function(tx) for c, refit in refits.items()}, ty


def test_validation_alone_needs_no_test_fold():
    data = screen()
    data[3][:, 2] = np.where(data[3][:, 2] == 1, np.nan, data[3][:, 2])  # no actives
    expected = fit(data).table["validation_auc"]
    found = validation_aucs(Labelled(*data[:2]), Labelled(*data[2:4]))
    assert np.isnan(found).tolist() == [False, False, True, False, False, False]
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="same assays"):
        validation_aucs(Labelled(*data[:2]), Labelled(data[2], data[3][:, :2]))


@pytest.mark.parametrize("n", [80, 600, 1800])  # fewer samples than features, more, and assays each by itself
def test_scores_are_those_of_scikit_learn(n, monkeypatch):
    monkeypatch.setattr(probes, "_BATCH", 20_000)
    data = screen(n, size=48, assays=4)
    scored = fit(data)
    assert scored.table["scored"].all()
    for assay, row in scored.table.iterrows():
        aucs, margins, labels = sklearn_probe(*data, assay)
        assert row["validation_auc"] == pytest.approx(aucs[row["c"]], abs=1e-3)
        assert row["validation_auc"] == pytest.approx(max(aucs.values()), abs=1e-3)
        expected = margins[row["c"]]
        np.testing.assert_allclose(
            scored.scores[~np.isnan(data[5][:, assay]), assay], expected, rtol=5e-3, atol=5e-3 * np.abs(expected).max()
        )
        assert row["auc"] == pytest.approx(roc_auc_score(labels, expected), abs=1e-3)


def test_metrics_are_those_of_scikit_learn():
    data = screen()
    scored = fit(data)
    for assay, row in scored.table.iterrows():
        known = ~np.isnan(data[5][:, assay])
        labels, scores = data[5][known, assay], scored.scores[known, assay]
        assert row["auc"] == pytest.approx(roc_auc_score(labels, scores))
        assert row["average_precision"] == pytest.approx(average_precision_score(labels, scores))
        assert row["f1"] == pytest.approx(f1_score(labels, scores > 0))
        assert row["mcc"] == pytest.approx(matthews_corrcoef(labels, scores > 0))
        assert row[["test_actives", "test_inactives"]].tolist() == [(labels == 1).sum(), (labels == 0).sum()]


def test_assays_without_a_class_are_told_and_left_out():
    data = screen(assays=4)
    names = [pd.DataFrame(labels, columns=["a", "b", "c", "d"]) for labels in data[1::2]]
    names[0].loc[names[0]["b"] == 1, "b"] = np.nan
    names[1]["c"] = np.nan
    names[2].loc[names[2]["d"] == 0, "d"] = np.nan
    named = [data[0], names[0], data[2], names[1], data[4], names[2]]
    scored = fit(named)
    table = scored.table.set_index("assay")
    assert table["scored"].tolist() == [True, False, False, False]
    assert pd.isna(table["reason"]["a"])
    assert table["reason"][["b", "c", "d"]].tolist() == [
        "train: no actives",
        "validation: no actives; validation: no inactives",
        "test: no inactives",
    ]
    assert (
        table.loc[["b", "c", "d"], ["c", "validation_auc", "auc", "f1", "average_precision", "mcc"]]
        .isna()
        .all(axis=None)
    )
    assert np.isnan(scored.scores[:, 1:]).all()
    assert not np.isnan(scored.scores[:, 0]).any()
    named[1::2] = (table[["a"]] for table in names)
    alone = fit(named).table
    pd.testing.assert_frame_equal(alone, scored.table[:1])
    named[1::2] = (table[["b"]] for table in names)
    assert fit(named).table["scored"].tolist() == [False]


def test_several_test_matrices_share_the_probes():
    data = screen()
    blurred = 0.5 * data[4] + 0.1
    folds, tests = (Labelled(*data[:2]), Labelled(*data[2:4])), {"clean": data[4], "blurred": blurred}
    both = fit_probes(*folds, tests, data[5])
    pd.testing.assert_frame_equal(both["clean"].table, fit(data).table)
    pd.testing.assert_frame_equal(both["blurred"].table, fit([*data[:4], blurred, data[5]]).table)
    assert (both["clean"].table["c"] == both["blurred"].table["c"]).all()


def test_of_equal_validation_areas_the_smallest_c_is_taken():
    data = screen(size=1, assays=2)  # with one feature every C ranks alike
    assert (fit(data, c_grid=[10.0, 0.1, 1.0]).table["c"] == 0.1).all()


def test_results_do_not_depend_on_the_number_of_threads():
    data, threads = screen(900), torch.get_num_threads()
    tables = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            tables.append(fit(data).table)
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    pd.testing.assert_frame_equal(*tables)


@settings(max_examples=15)
@given(n=st.integers(24, 90), size=st.integers(1, 60), seed=st.integers(0, 2**20), measured=st.floats(0.3, 1))
def test_any_screen_is_probed(n, size, seed, measured):
    table = fit(screen(n, size, assays=3, seed=seed, measured=measured)).table
    scored = table[table["scored"]]
    # scikit-learn sums average precision, so it can exceed 1 by rounding.
    assert scored[["validation_auc", "auc", "f1", "average_precision"]].stack().between(0, 1 + 1e-12).all()
    assert scored["mcc"].between(-1, 1).all()
    assert scored["c"].isin(C_GRID).all()
    assert table.loc[~table["scored"], "reason"].notna().all()


def test_bad_input_is_named():
    data = screen(assays=2)

    def changed(i, values):
        return [values if j == i else other for j, other in enumerate(data)]

    with pytest.raises(
        ValueError, match=r"features of validation must be of shape \(150 samples, width\), not \(149, 24"
    ):
        fit(changed(2, data[2][1:]))
    with pytest.raises(ValueError, match="train: row 3 is not finite"):
        fit(changed(0, np.where(np.arange(300)[:, None] == 3, np.nan, data[0])))
    wrong = data[5].copy()
    wrong[2, 1] = -1
    with pytest.raises(ValueError, match=r"test_labels: -1\.0 in row 2, column 1 is not 1, 0 or NaN"):
        fit(changed(5, wrong))
    with pytest.raises(ValueError, match=r"must be of the same assays, but there are \[1, 2\] assays"):
        fit(changed(3, data[3][:, :1]))
    with pytest.raises(ValueError, match=r"must have the same width, but the widths are \[23, 24\]"):
        fit(changed(4, data[4][:, 1:]))
    with pytest.raises(ValueError, match="validation_labels and train_labels must have the same columns"):
        fit([data[0], pd.DataFrame(data[1]), data[2], pd.DataFrame(data[3], columns=[1, 0]), *data[4:]])
    with pytest.raises(ValueError, match="c_grid must hold positive numbers"):
        fit(data, c_grid=[0, 1])

"""Probabilities of probes: Platt scaling as in scikit-learn, and measures on a planted screen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from cloome_kedro.evaluation.assays import samples_by_fold
from cloome_kedro.evaluation.probe_calibration import calibrate_probes, platt
from cloome_kedro.words import RANDOM


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is its only feature."""

    def fit(self, features, labels):
        self.classes_ = np.unique(labels)
        return self

    def decision_function(self, features):
        return features[:, 0]

    def predict(self, features):
        return self.classes_[(features[:, 0] > 0).astype(int)]


def drawn(n=400, slope=0.4, offset=-0.7, seed=0):
    generator = np.random.default_rng(seed)
    scores = 5 * generator.normal(size=n)
    return scores, (generator.random(n) < 1 / (1 + np.exp(-(slope * scores + offset)))).astype(float)


def test_platt_scaling_is_that_of_scikit_learn():
    scores, labels = drawn()
    a, b = platt(scores, labels)
    frozen = FrozenEstimator(Scores().fit(scores[:, None], labels))
    theirs = CalibratedClassifierCV(frozen, method="sigmoid").fit(scores[:, None], labels)
    expected = theirs.predict_proba(scores[:, None])[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-(a * scores + b))), expected, atol=2e-4)


def test_platt_scaling_finds_the_sigmoid_and_does_not_depend_on_order_or_scale():
    scores, labels = drawn(n=20000)
    a, b = platt(scores, labels)
    assert a == pytest.approx(0.4, abs=0.03)
    assert b == pytest.approx(-0.7, abs=0.06)
    order = np.random.default_rng(1).permutation(len(scores))
    assert platt(scores[order], labels[order]) == pytest.approx((a, b), rel=1e-5)
    scaled = platt(100 * scores + 3, labels)
    assert scaled[0] == pytest.approx(a / 100, rel=1e-4)


def test_equal_scores_give_the_smoothed_share_of_actives():
    _, b = platt(np.zeros(10), np.array([1.0] * 3 + [0.0] * 7))
    smoothed = (3 * 4 / 5 + 7 * 1 / 9) / 10
    assert 1 / (1 + np.exp(-b)) == pytest.approx(smoothed, abs=1e-6)


@pytest.fixture(scope="module")
def table(planted, probed):
    features, inputs = planted
    return calibrate_probes(features, inputs, probed.table, bins=5)


def test_there_is_a_row_before_and_after_for_every_method(table, probed):
    methods = [*dict.fromkeys(probed.table["method"])]
    assert set(zip(table["method"], table["calibrated"], strict=True)) == {
        *((method, calibrated) for method in methods for calibrated in (False, True)),
        (RANDOM, True),
    }
    assert (table["n"] == 3).all(), "the assay without active test compounds is left out"
    assert (table["compounds"] == 59).all()
    assert (table["calibration"] == 60).all()


def test_features_with_signal_have_better_probabilities_than_the_share_of_actives(table):
    brier = table[table["calibrated"]].set_index("method")["brier"]
    assert brier["CLOOME"] < brier[RANDOM] - 0.02
    assert brier["Untrained"] == pytest.approx(brier[RANDOM], abs=0.02)


def test_overconfident_probes_become_calibrated(planted, probed):
    """With hardly any regularisation on noise, raw probabilities are far too sure."""
    _, inputs = planted
    generator = np.random.default_rng(0)
    wide = {"Noise": generator.normal(size=(len(inputs.fields), 60))}
    chosen = probed.table[probed.table["method"] == "Untrained"].assign(method="Noise", c=1e4)
    table = calibrate_probes(wide, inputs, chosen, bins=5).set_index(["method", "calibrated"])
    assert table.loc[("Noise", False), "error"] > 2 * table.loc[("Noise", True), "error"]
    assert table.loc[("Noise", False), "brier"] > table.loc[("Noise", True), "brier"] + 0.05


def test_brier_scores_are_those_of_scikit_learn(planted, probed):
    """One assay by hand: the probe on the training fold, Platt's sigmoid on the validation fold."""
    features, inputs = planted
    samples, labels = samples_by_fold(inputs)
    folds = inputs.fields["fold"].to_numpy()
    chosen = probed.table[(probed.table["method"] == "CLOOME") & (probed.table["assay"] == "easy")]
    x, y = {}, {}
    for fold in ("train", "validation", "test"):
        of_assay = labels[fold]["easy"].to_numpy()
        known = ~np.isnan(of_assay)
        x[fold], y[fold] = samples[fold].features(features["CLOOME"][folds == fold])[known], of_assay[known]
    c = chosen["c"].iloc[0]
    fitted = LogisticRegression(C=c, max_iter=10_000, tol=1e-10).fit(x["train"], y["train"])
    a, b = platt(fitted.decision_function(x["validation"]), y["validation"])
    before = fitted.predict_proba(x["test"])[:, 1]
    after = 1 / (1 + np.exp(-(a * fitted.decision_function(x["test"]) + b)))
    table = calibrate_probes({"CLOOME": features["CLOOME"]}, inputs, chosen).set_index(["method", "calibrated"])
    for calibrated, probabilities in ((False, before), (True, after)):
        expected = np.mean((probabilities - y["test"]) ** 2)
        assert table.loc[("CLOOME", calibrated), "brier"] == pytest.approx(expected, abs=2e-3)


def test_without_scored_assays_there_are_no_rows(planted, probed):
    features, inputs = planted
    assert calibrate_probes(features, inputs, probed.table.iloc[:0]).equals(pd.DataFrame())

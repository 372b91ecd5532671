"""Weighted areas under ROC curves against scikit-learn, and their bootstrap against a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cloome_kedro.evaluation.auc import resampled_aucs, weighted_aucs


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60), levels=st.sampled_from([2, 5, 1000]))
@settings(max_examples=60)
def test_weighted_aucs_are_those_of_scikit_learn(seed, size, levels):
    """Few levels of scores: many ties."""
    generator = np.random.default_rng(seed)
    labels = np.r_[0, 1, generator.integers(0, 2, size - 2)].astype(float)
    scores = generator.integers(0, levels, size) / 7
    weights = generator.integers(0, 4, (5, size))
    for found, row in zip(weighted_aucs(labels, scores, weights), weights, strict=True):
        if row[labels == 1].sum() and row[labels == 0].sum():
            assert found == pytest.approx(roc_auc_score(labels, scores, sample_weight=row), abs=1e-12)
        else:
            assert np.isnan(found)


def test_by_hand():
    """Actives 0.9 and 0.5, inactives 0.5 and 0.1: three pairs in order and a tie, of four."""
    assert weighted_aucs([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1], [[1, 1, 1, 1], [1, 0, 1, 1], [0, 2, 3, 1]]).tolist() == [
        0.875,
        1.0,
        (2 * 1 + 2 * 3 / 2) / 8,
    ]


def test_a_resample_takes_compounds_with_all_samples_and_assays():
    generator = np.random.default_rng(3)
    compounds = np.repeat(["a", "b", "c", "d", "e", "f"], 3)
    labels = np.where(generator.random((18, 2)) < 0.8, np.repeat(np.tile([0.0, 1.0], 3), 3)[:, None], np.nan)
    scores = generator.normal(size=(18, 2))
    found = resampled_aucs(labels, {"one": scores, "inverse": -scores}, compounds, 200, seed=7)
    assert found["one"].shape == (200, 2)
    np.testing.assert_array_equal(np.isnan(found["one"]), np.isnan(found["inverse"]))
    np.testing.assert_allclose(found["one"], 1 - found["inverse"], atol=1e-12)

    draws = np.random.default_rng(7).integers(0, 6, (200, 6))
    for draw, aucs in zip(draws[:50], found["one"], strict=False):
        taken = np.concatenate([np.flatnonzero(compounds == "abcdef"[i]) for i in draw])
        for assay, auc in enumerate(aucs):
            rows = taken[~np.isnan(labels[taken, assay])]
            if len(set(labels[rows, assay])) == 2:
                assert auc == pytest.approx(roc_auc_score(labels[rows, assay], scores[rows, assay]), abs=1e-12)
            else:
                assert np.isnan(auc)


def test_resamples_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (40, 3)).astype(float)
    scores = {"method": generator.normal(size=(40, 3))}
    compounds = generator.integers(0, 15, 40)
    whole = resampled_aucs(labels, scores, compounds, 100, seed=1)
    monkeypatch.setattr("cloome_kedro.evaluation.auc._WEIGHTS", 90)
    np.testing.assert_array_equal(resampled_aucs(labels, scores, compounds, 100, seed=1)["method"], whole["method"])


def test_an_assay_without_a_probe_and_a_fold_without_samples_have_no_area():
    labels = np.array([[1.0, 1], [0, 0]])
    scores = np.array([[0.9, np.nan], [0.1, np.nan]])
    found = resampled_aucs(labels, {"method": scores}, ["a", "b"], 20)["method"]
    assert np.isnan(found[:, 1]).all()
    assert set(found[~np.isnan(found[:, 0]), 0]) == {1.0}
    assert np.isnan(resampled_aucs(np.empty((0, 2)), {"method": np.empty((0, 2))}, [], 20)["method"]).all()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from cloome_kedro.evaluation.bootstrap import clustered_mean_interval, paired_difference


def test_one_query_a_compound_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2, size=300)
    expected = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = clustered_mean_interval(values, np.arange(300), resamples=20_000, seed=3)
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * width)


def test_compounds_of_many_queries_agree_with_scipys_ratio_of_sums():
    """A mean over all queries is a ratio of sums over compounds, which SciPy can resample as pairs."""
    rng = np.random.default_rng(0)
    compounds = rng.integers(0, 80, 900)
    values = (rng.random(900) < rng.random(80)[compounds]).astype(float)
    sums, counts = np.bincount(compounds, values), np.bincount(compounds)
    expected = bootstrap(
        (sums, counts),
        lambda s, n, axis: s.sum(axis) / n.sum(axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    low, high = clustered_mean_interval(values, compounds.astype(str), resamples=20_000, seed=0)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03 * (expected.high - expected.low))
    naive = clustered_mean_interval(values, np.arange(900), resamples=2000)
    assert naive[1] - naive[0] < 0.7 * (high - low), "queries of a compound are not independent"


def test_covers_the_true_mean():
    rng = np.random.default_rng(0)
    compounds = np.repeat(np.arange(60), 4)
    covered = 0
    for seed in range(400):
        values = np.repeat(rng.normal(size=60), 4) + rng.normal(size=240)
        low, high = clustered_mean_interval(values, compounds, 0.9, 400, seed)
        covered += low <= 0 <= high
    assert 0.85 < covered / 400 < 0.95


def test_columns_and_blocks_resample_alike(monkeypatch):
    values = np.random.default_rng(0).random((200, 3))
    compounds = np.arange(200) // 2
    low, high = clustered_mean_interval(values, compounds, seed=5)
    for column in range(3):
        found = clustered_mean_interval(values[:, column], compounds, seed=5)
        assert found == pytest.approx((low[column], high[column]), abs=1e-12)
    monkeypatch.setattr("cloome_kedro.evaluation.bootstrap._COUNTS", 700)
    np.testing.assert_allclose(clustered_mean_interval(values, compounds, seed=5), (low, high), rtol=1e-12)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 99), st.sampled_from([0.5, 0.9, 0.95]))
def test_holds_the_mean_and_its_bounds(n, each, seed, confidence):
    rng = np.random.default_rng(seed)
    values, compounds, weights = rng.random(n * each), np.repeat(np.arange(n), each), rng.uniform(0.5, 2, n * each)
    difference, low, high = paired_difference(values, 1 - values, compounds, confidence, 50, seed, weights)
    assert difference == pytest.approx(np.average(2 * values - 1, weights=weights))
    assert -1 <= low <= high <= 1
    order = rng.permutation(n * each)
    again = paired_difference(
        values[order], (1 - values)[order], compounds[order], confidence, 50, seed, weights[order]
    )
    assert again[0] == pytest.approx(difference)


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(0)
    hard = rng.random(500)
    a, b = (hard < 0.5).astype(float), (hard < 0.45).astype(float)
    difference, low, high = paired_difference(a, b, np.arange(500))
    assert difference == pytest.approx((a - b).mean())
    assert 0 < low < difference < high
    unpaired = clustered_mean_interval(a, np.arange(500))
    assert high - low < 0.5 * (unpaired[1] - unpaired[0])
    assert paired_difference(a, a, np.arange(500)) == (0, 0, 0)


def test_refuses_what_it_cannot_resample():
    with pytest.raises(ValueError, match="got 3 values, 2 compounds and 3 weights"):
        clustered_mean_interval([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="got 0 values, 0 compounds and 0 weights"):
        clustered_mean_interval([], [])
    with pytest.raises(ValueError, match="finite"):
        clustered_mean_interval([1, np.nan], ["a", "b"])
    with pytest.raises(ValueError, match="shape"):
        paired_difference([1, 2], [1, 2, 3], ["a", "b"])

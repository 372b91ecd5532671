"""Conformal quantiles: closed forms, and coverage on exchangeable numbers."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from cloome_kedro.evaluation.conformal import (
    conformal_quantile,
    expected_coverage,
    first_k,
    quantile_place,
    smallest_calibration,
)


@pytest.mark.parametrize(
    ("n", "level", "place"), [(9, 0.9, 9), (19, 0.95, 19), (99, 0.9, 90), (256, 0.8, 206), (4, 0.8, 4)]
)
def test_the_place_is_the_closed_form(n, level, place):
    """Of whole products such as 20 x 0.95, rounding must not give the next place."""
    assert quantile_place(n, level) == place
    assert conformal_quantile(np.arange(1, n + 1), level) == place


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_the_smallest_calibration_is_the_smallest(level):
    n = smallest_calibration(level)
    assert np.isfinite(conformal_quantile(np.arange(n), level))
    assert conformal_quantile(np.arange(n - 1), level) == np.inf


def test_without_units_everything_is_within_the_threshold():
    assert conformal_quantile([], 0.9) == np.inf


def test_the_quantile_does_not_depend_on_the_order():
    values = np.random.default_rng(0).normal(size=101)
    expected = conformal_quantile(values, 0.9)
    for seed in range(5):
        assert conformal_quantile(np.random.default_rng(seed).permutation(values), 0.9) == expected


def test_the_quantile_is_the_inverted_cdf_at_a_corrected_level():
    """Angelopoulos and Bates compute it so, with NumPy."""
    values = np.random.default_rng(1).normal(size=150)
    for level in (0.8, 0.9, 0.95):
        corrected = np.ceil((len(values) + 1) * level) / len(values)
        assert conformal_quantile(values, level) == np.quantile(values, corrected, method="inverted_cdf")


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
def test_a_level_is_between_0_and_1(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal_quantile([1.0], level)


def test_numbers_are_no_nan():
    with pytest.raises(ValueError, match="NaN"):
        conformal_quantile([1.0, np.nan], 0.5)


@pytest.mark.parametrize(("n", "level"), [(19, 0.9), (50, 0.8), (256, 0.95)])
def test_coverage_of_exchangeable_numbers_is_that_of_the_theory(n, level):
    """Mean coverage is k / (n + 1) for numbers that do not tie, whatever their distribution."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(4000):
        values = generator.exponential(size=n + 1)
        covered.append(values[-1] <= conformal_quantile(values[:-1], level))
    expected = quantile_place(n, level) / (n + 1)
    assert level <= expected < level + 1 / (n + 1)
    low, high = binom.ppf([1e-4, 1 - 1e-4], 4000, expected) / 4000
    assert low <= np.mean(covered) <= high


def test_measured_coverages_lie_in_the_expected_range():
    """Of exchangeable numbers, about 5 % of measured coverages are outside the range of 95 %."""
    generator = np.random.default_rng(1)
    low, high = expected_coverage(100, 0.9, 80)
    measured = []
    for _ in range(2000):
        threshold = conformal_quantile(generator.random(100), 0.9)
        measured.append((generator.random(80) <= threshold).mean())
    outside = np.mean((np.array(measured) < low - 1e-9) | (np.array(measured) > high + 1e-9))
    assert 0.01 < outside < 0.06, "the distribution is discrete, so the range covers more than 95 %"


def test_with_many_tests_the_range_is_that_of_the_beta_distribution():
    """The coverage of one threshold over infinitely many units has a beta distribution."""
    k = quantile_place(256, 0.9)
    expected = beta.ppf([0.025, 0.975], k, 257 - k)
    np.testing.assert_allclose(expected_coverage(256, 0.9, 1_000_000), expected, atol=1e-3)
    assert expected_coverage(8, 0.9, 100) == (1.0, 1.0)


def test_a_share_of_a_rank_gives_the_rank():
    for n in range(1, 400):
        ranks = np.arange(1, n + 1)
        assert np.array_equal(first_k(ranks / n, n), ranks)


def test_at_least_one_and_at_most_all_are_listed():
    assert first_k(1e-6, 10) == 1
    assert first_k(1.0, 10) == 10
    assert first_k(0.5, [1, 2, 3]).tolist() == [1, 1, 2]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from cloome_kedro.evaluation.intervals import exact_interval


@given(
    n=st.integers(1, 3000),
    share=st.floats(0, 1),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_is_scipys_exact_binomial_interval(n, share, confidence):
    successes = round(share * n)
    expected = binomtest(successes, n).proportion_ci(confidence, method="exact")
    assert exact_interval(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


# Sanchez-Fernandez et al., Nature Communications 14, 7339 (2023), supplementary table 7: hits, queries, interval in %
@pytest.mark.parametrize(("successes", "n", "low", "high"), [(238, 2115, 9.94, 12.7), (458, 2115, 19.9, 23.5)])
def test_gives_published_intervals(successes, n, low, high):
    assert 100 * np.array(exact_interval(successes, n)) == pytest.approx([low, high], abs=0.05)


def test_ends():
    assert exact_interval(0, 10)[0] == 0
    assert exact_interval(10, 10)[1] == 1
    assert exact_interval(0, 10)[1] == pytest.approx(1 - 0.025**0.1)  # P(0 of 10) = 2.5 %


def test_covers_the_true_proportion():
    n, proportion = 60, 0.13
    low, high = exact_interval(np.arange(n + 1), n, 0.9)
    covered = (low <= proportion) & (proportion <= high)
    assert binom.pmf(np.arange(n + 1), n, proportion)[covered].sum() >= 0.9


@pytest.mark.parametrize(("successes", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (0, 0, 0.95), (1, 2, 1.0)])
def test_refuses_nonsense(successes, n, confidence):
    with pytest.raises(ValueError, match="exact_interval"):
        exact_interval(successes, n, confidence)

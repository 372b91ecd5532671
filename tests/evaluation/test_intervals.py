import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

import cloome_kedro
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


def published_counts():
    """Rows of the published tables with hits k of n queries, and the interval as printed, in percent."""
    with (Path(cloome_kedro.__file__).parent / "reporting" / "published.csv").open() as lines:
        return [row for row in csv.DictReader(lines) if row["k"]]


def as_printed(row):
    interval = exact_interval(int(row["k"]), int(row["n"]))
    printed = (row["ci_low"], row["ci_high"])
    return tuple(
        f"{100 * bound:.{len(text.partition('.')[2])}f}" for bound, text in zip(interval, printed, strict=True)
    ), printed


def test_reproduces_published_intervals_to_the_last_printed_digit():
    """Sanchez-Fernandez et al., Nature Communications 14, 7339 (2023), supplement: all but three, which say why."""
    others = [row for row in published_counts() if len(set(as_printed(row))) > 1]
    assert len(published_counts()) == 72
    assert len(others) == 3
    for row in others:
        # The note gives the exact interval, to its own last digit.
        low, high = (float(bound) for bound in re.fullmatch("the exact interval is (.*)–(.*)", row["note"]).groups())
        assert 100 * np.array(exact_interval(int(row["k"]), int(row["n"]))) == pytest.approx([low, high], abs=0.006)


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

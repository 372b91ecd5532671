"""Candidate sets: calibrated on the validation fold, measured on the test fold.

There are two kinds of sets:

- ``first k``: the best ranked candidates, for every query the same share of them. The non-conformity is the rank of the
  true candidate divided by the number of candidates.
- ``adaptive``: all candidates whose relative probability is at least a threshold, and always the best one. The relative
  probability is the softmax probability times the number of candidates, so 1 is that of a candidate on average. The set
  is small where the scores single out few candidates. Of all sets with the same coverage, those by a threshold of the
  true probability have the smallest mean size (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with
  Bounded Error Levels, Journal of the American Statistical Association 114, 223, 2019).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.conformal import conformal_quantile, expected_coverage, first_k, smallest_calibration
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.scored_queries import ScoredQueries, no_queries
from cloome_kedro.evaluation.softmax import relative_probabilities

FIRST_K, ADAPTIVE = "first k", "adaptive"


class Listed(NamedTuple):
    """Adaptive sets of N queries for L thresholds.

    Attributes
    ----------
    sizes
        (L, N) int64: number of listed candidates.
    covered
        (L, N) bool: whether the true candidate is listed.
    """

    sizes: np.ndarray
    covered: np.ndarray


def match_probabilities(queries: ScoredQueries, temperature: float) -> np.ndarray:
    """Relative probability of the true candidate of each query: (N,) float64."""
    found = np.empty(len(queries))
    for block in queries.blocks():
        relative = relative_probabilities(block.scores, temperature)
        found[block.rows] = relative[np.arange(len(block.match)), block.match]
    return found


def adaptive_threshold(probabilities: np.ndarray, level: float) -> float:
    """Smallest relative probability that is listed, from those of the true candidates (N,). 0: all are listed.

    Examples
    --------
    >>> adaptive_threshold(np.array([4.0, 1.0, 2.0, 0.5]), 0.6), adaptive_threshold(np.array([4.0, 1.0]), 0.8)
    (1.0, 0.0)
    """
    return max(0.0, -conformal_quantile(-probabilities, level))


def list_adaptively(queries: ScoredQueries, thresholds: Sequence[float], temperature: float) -> Listed:
    """List the candidates whose relative probability is at least a threshold, and those with the best score."""
    sizes = np.empty((len(thresholds), len(queries)), np.int64)
    covered = np.empty(sizes.shape, bool)
    for block in queries.blocks():
        relative = relative_probabilities(block.scores, temperature)
        in_pool, best = np.isfinite(block.scores), block.scores == block.scores.max(axis=1)[:, None]
        for place, threshold in enumerate(thresholds):
            listed = ((relative >= threshold) & in_pool) | best
            sizes[place, block.rows] = listed.sum(axis=1)
            covered[place, block.rows] = listed[np.arange(len(block.match)), block.match]
    return Listed(sizes, covered)


def candidate_sets(
    calibration: ScoredQueries,
    tested: ScoredQueries,
    levels: Sequence[float],
    temperature: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Calibrate sets of both kinds for each level, and measure their coverage and size.

    Parameters
    ----------
    calibration
        One query per compound of the validation fold. There may be none.
    tested
        One query per compound of the test fold. Without any, or with a single candidate, nothing is measured.
    levels
        Wanted coverages.
    temperature
        Temperature of the softmax; NaN: all candidates of a query are equally probable.
    confidence
        Confidence level of the exact intervals and of the expected ranges of the coverage.

    Returns
    -------
    pandas.DataFrame
        Rows of the table ``candidate_sets`` without the columns that name the answer and the split.
    """
    n = len(calibration)
    nothing = ""
    if not (tested.candidates > 1).any():
        nothing = "there is a single candidate" if len(tested) else "no test compound is measured"
        tested = no_queries()
    rank_shares = calibration.ranks / calibration.candidates
    shares = [min(conformal_quantile(rank_shares, level), 1.0) for level in levels]
    probabilities = match_probabilities(calibration, temperature)
    thresholds = [adaptive_threshold(probabilities, level) for level in levels]
    rows = []
    if len(tested):
        listed = np.stack([first_k(share, tested.candidates) for share in shares])
        by_kind = {
            FIRST_K: Listed(listed, listed >= tested.ranks),
            ADAPTIVE: list_adaptively(tested, thresholds, temperature),
        }
    for place, level in enumerate(levels):
        needed = smallest_calibration(level)
        reasons = []
        if n < needed:
            there = f"there {'is' if n == 1 else 'are'} {n}"
            reasons.append(f"all candidates are listed: {100 * level:g} % needs {needed} validation compounds, {there}")
        if nothing:
            reasons.append(nothing)
        for kind in (FIRST_K, ADAPTIVE):
            row = {
                "kind": kind,
                "level": level,
                "calibration": n,
                "share": shares[place] if kind == FIRST_K else np.nan,
                "threshold": thresholds[place] if kind == ADAPTIVE else np.nan,
                "temperature": temperature if kind == ADAPTIVE else np.nan,
                "reason": "; ".join(reasons) or None,
                "compounds": 0,
            }
            if len(tested):
                sizes, covered = (of_levels[place] for of_levels in by_kind[kind])
                low, high = exact_interval(int(covered.sum()), len(tested), confidence)
                expected_low, expected_high = expected_coverage(n, level, len(tested), confidence)
                row |= {
                    "candidates": tested.candidates.mean(),
                    "size_mean": sizes.mean(),
                    "size_median": np.median(sizes),
                    "coverage": covered.mean(),
                    "low": low,
                    "high": high,
                    "expected_low": expected_low,
                    "expected_high": expected_high,
                    "compounds": len(tested),
                }
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


#: columns of the table `candidate_sets` that this module fills
COLUMNS = (
    *("kind", "level", "calibration", "share", "threshold", "temperature", "candidates", "size_mean", "size_median"),
    *("coverage", "low", "high", "expected_low", "expected_high", "compounds", "reason"),
)

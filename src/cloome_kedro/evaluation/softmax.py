"""Softmax probabilities of candidates, how well they are calibrated, and accuracy of the most confident answers.

The probability of a candidate with the score s is softmax(s / T) over all candidates of the query. The temperature T is
fitted on the validation fold (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017).
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.scored_queries import ScoredQueries

_FITTED = 1000  # most queries that a temperature is fitted to
_RANGE = 1e3  # a temperature is searched from 1 / 1000 to 1000 times the spread of the scores


def fit_temperature(queries: ScoredQueries) -> float:
    """Temperature with the lowest mean negative log probability of the true candidates.

    Parameters
    ----------
    queries
        Queries of the validation fold. The first 1,000 in the order of their compounds are used.

    Returns
    -------
    float
        The temperature, in units of the scores. NaN without queries, and if all scores of each query are equal.
    """
    below, margins = [], []
    fitted = np.argsort(queries.compounds, kind="stable")[:_FITTED]
    for block in queries.blocks():
        chosen = np.isin(block.rows, fitted)
        scores, match = block.scores[chosen], block.match[chosen]
        best = scores.max(axis=1, initial=-np.inf)
        below.append(best[:, None] - scores)
        margins.append(best - scores[np.arange(len(match)), match])
    differences = np.concatenate([block[np.isfinite(block)] for block in below] or [np.zeros(0)])
    spread = float(differences.std()) if len(differences) else 0.0
    if not spread > 0:
        return float("nan")
    margin = np.concatenate(margins)

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        normaliser = np.concatenate([np.log(np.exp(-block * inverse).sum(axis=1)) for block in below])
        return float(np.mean(normaliser + margin * inverse))

    ends = math.log(spread / _RANGE), math.log(spread * _RANGE)
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)


def relative_probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax probability of each candidate times the number of candidates, so that the mean is 1.

    Unlike the probability itself, it does not become smaller only because there are more candidates.

    Parameters
    ----------
    scores
        (B, M); minus infinity where a candidate is not in the pool. It then has the probability 0.
    temperature
        Temperature. If it is NaN, all candidates of a query have the same probability.

    Returns
    -------
    numpy.ndarray
        (B, M) float64.

    Examples
    --------
    >>> relative_probabilities(np.array([[np.log(3.0), 0.0, -np.inf]]), 1.0)
    array([[1.5, 0.5, 0. ]])
    """
    in_pool = np.isfinite(scores)
    below = np.where(in_pool, scores.max(axis=1)[:, None] - scores, 0)
    weights = np.where(in_pool, np.exp(-below * (0.0 if math.isnan(temperature) else 1 / temperature)), 0)
    return weights * (in_pool.sum(axis=1) / weights.sum(axis=1))[:, None]


def confidences(queries: ScoredQueries, temperature: float) -> np.ndarray:
    """Softmax probability of the best candidate of each query: (N,) float64 above 0.

    Parameters
    ----------
    queries
        N queries.
    temperature
        Temperature. If it is NaN, all candidates of a query have the same probability.
    """
    values = np.empty(len(queries))
    for block in queries.blocks():
        values[block.rows] = relative_probabilities(block.scores, temperature).max(axis=1)
    return values / queries.candidates


def calibration_error(probabilities: np.ndarray, correct: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: |share that is correct - mean probability|, averaged over bins by their sizes.

    Bins hold about equally many probabilities (Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops,
    2019). Equal probabilities are in one bin, so the order does not matter.

    Parameters
    ----------
    probabilities
        (N,) from 0 to 1.
    correct
        (N,) bool, or 0 and 1.
    bins
        Number of bins.

    Examples
    --------
    >>> calibration_error(np.array([0.5, 0.5, 1.0, 1.0]), np.array([1, 0, 1, 0]), bins=2)
    0.25
    """
    bin_numbers = _bins(probabilities, bins)
    gaps = np.bincount(bin_numbers, np.asarray(correct, float)) - np.bincount(bin_numbers, probabilities)
    return float(np.abs(gaps).sum() / len(probabilities))


def error_of_calibrated(probabilities: np.ndarray, bins: int = 10, draws: int = 25, seed: int = 0) -> float:
    """Mean calibration error of outcomes that are drawn with exactly these probabilities.

    The calibration error is never 0 in a sample. An error near this one is what perfect probabilities have.

    Parameters
    ----------
    probabilities, bins
        As in :func:`calibration_error`.
    draws, seed
        Number of drawn samples, and the seed.
    """
    outcomes = np.random.default_rng(seed).random((draws, len(probabilities))) < probabilities
    bin_numbers = _bins(probabilities, bins)
    member = np.zeros((len(probabilities), bin_numbers.max() + 1))
    member[np.arange(len(probabilities)), bin_numbers] = 1
    return float(np.abs((outcomes - probabilities) @ member).sum(axis=1).mean() / len(probabilities))


def _bins(probabilities: np.ndarray, bins: int) -> np.ndarray:
    edges = np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1], method="lower")
    return np.searchsorted(edges, probabilities, side="left")


def answered_accuracy(
    confidence: np.ndarray, correct: np.ndarray, shares: Sequence[float], level: float = 0.95
) -> pd.DataFrame:
    """Accuracy of the queries that are answered if only the most confident ones are.

    Parameters
    ----------
    confidence
        (N,) confidence of each query.
    correct
        (N,) bool.
    shares
        Shares of the queries that are answered, above 0 to 1.
    level
        Confidence level of the exact intervals.

    Returns
    -------
    pandas.DataFrame
        One row per share with the columns ``share``, ``answered`` (number of queries; queries that tie with the last
        one are answered, too), ``accuracy``, ``low`` and ``high``.

    Examples
    --------
    >>> answered_accuracy(np.array([0.9, 0.1]), np.array([True, False]), [0.5, 1.0])[["answered", "accuracy"]]
       answered  accuracy
    0         1       1.0
    1         2       0.5
    """
    order = np.sort(confidence)[::-1]
    last = order[[max(1, math.ceil(round(share * len(order), 9))) - 1 for share in shares]]
    is_answered = confidence >= last[:, None]
    answered, right = is_answered.sum(axis=1), (is_answered & correct).sum(axis=1)
    low, high = exact_interval(right, answered, level)
    return pd.DataFrame(
        {"share": list(shares), "answered": answered, "accuracy": right / answered, "low": low, "high": high}
    )

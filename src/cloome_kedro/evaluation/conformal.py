"""Split-conformal prediction: how many candidates must be listed so that the true one is among them.

Each query of a calibration fold has a *non-conformity*: a number that is larger, the worse the true candidate is
placed. The conformal quantile of these numbers is a threshold. If a new query is exchangeable with those of the
calibration fold, its true candidate is within the threshold with at least the wanted probability, whatever the model
(Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Angelopoulos and Bates, Conformal Prediction:
A Gentle Introduction, Foundations and Trends in Machine Learning 16, 494, 2023, sections 1 and 3.2).
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import betabinom

_ROUNDING = 9  # decimals to which products such as (n + 1) * level are rounded before the ceiling is taken


def quantile_place(n: int, level: float) -> int:
    """Place of the conformal quantile among n sorted values, 1-based: ceil((n + 1) level).

    It is above n if n is too small for the level.

    Examples
    --------
    >>> quantile_place(9, 0.9), quantile_place(8, 0.9), quantile_place(256, 0.9)
    (9, 9, 232)
    """
    return math.ceil(round((n + 1) * level, _ROUNDING))


def smallest_calibration(level: float) -> int:
    """Smallest number of calibration units for which a level has a finite quantile: ceil(level / (1 - level)).

    Examples
    --------
    >>> [smallest_calibration(level) for level in (0.8, 0.9, 0.95)]
    [4, 9, 19]
    """
    return math.ceil(round(level / (1 - level), _ROUNDING))


def conformal_quantile(nonconformity: ArrayLike, level: float) -> float:
    """Threshold that the non-conformity of a new exchangeable unit does not exceed with probability ``level`` or more.

    Parameters
    ----------
    nonconformity
        (n,) numbers of the calibration units. Their order does not matter.
    level
        Wanted probability, between 0 and 1.

    Returns
    -------
    float
        The ceil((n + 1) level)-th smallest number; infinity if n is too small for the level.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1, or if a number is NaN.

    Examples
    --------
    >>> conformal_quantile([3.0, 1.0, 2.0, 4.0], 0.8), conformal_quantile([3.0, 1.0, 2.0, 4.0], 0.9)
    (4.0, inf)
    """
    values = np.asarray(nonconformity, float)
    if not 0 < level < 1:
        raise ValueError(f"conformal_quantile: level {level} is not between 0 and 1")
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError(f"conformal_quantile: needs a vector of numbers, not shape {values.shape} with NaN or others")
    place = quantile_place(len(values), level)
    return float("inf") if place > len(values) else float(np.sort(values)[place - 1])


def first_k(share: ArrayLike, candidates: ArrayLike) -> np.ndarray:
    """Number of candidates that a share means: ceil(share * candidates), at least 1 and at most all: int64.

    Products are rounded to nine decimals before, so that a share of r / n gives r of n candidates.

    Examples
    --------
    >>> first_k(0.05, [256, 1280]).tolist()
    [13, 64]
    """
    candidates = np.asarray(candidates)
    return np.clip(np.ceil(np.round(np.multiply(share, candidates), _ROUNDING)), 1, candidates).astype(np.int64)


@lru_cache(256)
def expected_coverage(calibration: int, level: float, tested: int, confidence: float = 0.95) -> tuple[float, float]:
    """Range of the measured coverage if all units are exchangeable and their non-conformities do not tie.

    The number of covered units then has a beta-binomial distribution with the parameters k and n + 1 - k, where k is
    the place of the quantile (Angelopoulos and Bates 2023, section 3.2; Vovk, Machine Learning 92, 349, 2013). Ties
    make the coverage higher.

    Parameters
    ----------
    calibration, tested
        Numbers of calibration units, and of units whose coverage is measured.
    level
        Wanted probability.
    confidence
        Probability of the range.

    Returns
    -------
    tuple of float
        (low, high). Both are 1 if the calibration units are too few for the level.

    Examples
    --------
    >>> low, high = expected_coverage(256, 0.9, 256)
    >>> round(low, 3), round(high, 3)
    (0.848, 0.949)
    """
    place = quantile_place(calibration, level)
    if place > calibration:
        return 1.0, 1.0
    tail = (1 - confidence) / 2
    low, high = betabinom.ppf([tail, 1 - tail], tested, place, calibration + 1 - place) / tested
    return float(low), float(high)

"""Confidence intervals."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta


def exact_interval(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> tuple:
    """Exact interval of a proportion (Clopper and Pearson, Biometrika 26, 404, 1934).

    Parameters
    ----------
    successes, n
        Numbers of successes and of trials: integers, or arrays that broadcast.
    confidence
        Lowest probability that the interval covers the true proportion, between 0 and 1.

    Returns
    -------
    tuple
        (low, high): floats for integers, float64 arrays for arrays.

    Raises
    ------
    ValueError
        Unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.

    Examples
    --------
    >>> low, high = exact_interval(successes=20, n=100)
    >>> round(low, 3), round(high, 3)
    (0.127, 0.292)
    """
    successes, n = np.broadcast_arrays(successes, n)
    if not ((successes >= 0) & (successes <= n) & (n >= 1)).all():
        raise ValueError("exact_interval: must have 0 <= successes <= n and n >= 1")
    if not 0 < confidence < 1:
        raise ValueError(f"exact_interval: confidence {confidence} is not between 0 and 1")
    tail = (1 - confidence) / 2
    # At the ends a parameter of the beta distribution would be 0. There the limits are 0 and 1.
    low = np.where(successes == 0, 0.0, beta.ppf(tail, np.maximum(successes, 1), n - successes + 1))
    high = np.where(successes == n, 1.0, beta.ppf(1 - tail, successes + 1, np.maximum(n - successes, 1)))
    return (float(low), float(high)) if low.ndim == 0 else (low, high)

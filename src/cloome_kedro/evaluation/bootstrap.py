"""Bootstrap intervals of means over queries, by resampling compounds.

Queries of one compound resemble each other. Therefore compounds are resampled, each with all its queries (cluster
bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Intervals are percentiles.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_COUNTS = 1 << 22  # counts of resampled compounds held in memory at a time: 32 MiB in float64


def clustered_mean_interval(
    values: ArrayLike,
    compounds: ArrayLike,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    weights: ArrayLike | None = None,
) -> tuple:
    """Percentile interval of a (weighted) mean.

    Parameters
    ----------
    values
        (N,) numbers, or (N, K) for K means on the same resamples.
    compounds
        (N,) compound of each row, of any type.
    confidence
        Nominal probability that the interval covers the true mean, between 0 and 1. With fewer than about 30 compounds
        the true coverage is lower.
    resamples, seed
        Number of resamples, and seed of the draws. With the same seed, tables with the same number of compounds are
        resampled in the same way.
    weights
        (N,) positive weights of the rows. None: all rows have the same weight.

    Returns
    -------
    tuple
        (low, high): floats for (N,) values, float64 (K,) for (N, K) values.

    Raises
    ------
    ValueError
        If there are no rows, lengths differ, a value is not finite, or a weight is not positive.

    Examples
    --------
    Four compounds with two queries each:

    >>> clustered_mean_interval([0, 0, 1, 1, 1, 1, 0, 0], list("AABBCCDD"))
    (0.0, 1.0)
    """
    values, compounds, weights = _checked(values, compounds, weights)
    codes, names = pd.factorize(compounds)
    weighted = values.reshape(len(values), -1) * weights[:, None]
    size = len(names)
    sums = np.stack([np.bincount(codes, column, size) for column in weighted.T], axis=1)
    totals = np.bincount(codes, weights, size)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, weighted.shape[1]))
    step = max(1, _COUNTS // size)
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        counts = resample_counts(generator, size, rows.stop - start).astype(float)
        means[rows] = (counts @ sums) / (counts @ totals)[:, None]
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return (float(low[0]), float(high[0])) if values.ndim == 1 else (low, high)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    compounds: ArrayLike,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    weights: ArrayLike | None = None,
) -> tuple:
    """Mean of ``a - b`` over the same queries, with its interval by :func:`clustered_mean_interval`.

    Parameters
    ----------
    a, b
        (N,) or (N, K) values. Row i of both belongs to the same query.
    compounds, confidence, resamples, seed, weights
        As in :func:`clustered_mean_interval`.

    Returns
    -------
    tuple
        (difference, low, high): floats for (N,) values, float64 (K,) for (N, K) values.

    Raises
    ------
    ValueError
        As :func:`clustered_mean_interval`, and if the shapes of ``a`` and ``b`` differ.

    Examples
    --------
    >>> paired_difference([1, 1, 1, 0], [0, 0, 0, 0], ["A", "A", "B", "B"])
    (0.75, 0.5, 1.0)
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        raise ValueError(f"paired_difference: a has the shape {a.shape}, but b has the shape {b.shape}")
    values, compounds, weights = _checked(a - b, compounds, weights)
    low, high = clustered_mean_interval(values, compounds, confidence, resamples, seed, weights)
    difference = np.average(values, axis=0, weights=weights)
    return (float(difference) if values.ndim == 1 else difference), low, high


def resample_counts(generator: np.random.Generator, size: int, resamples: int) -> np.ndarray:
    """Draw ``size`` of ``size`` compounds with replacement, and count each compound: (resamples, size) int64.

    >>> resample_counts(np.random.default_rng(0), 5, 3).sum(axis=1)
    array([5, 5, 5])
    """
    drawn = generator.integers(0, size, (resamples, size)) + size * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size)


def _checked(values, compounds, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, compounds = np.asarray(values, float), np.asarray(compounds)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    if not len(values) or not len(values) == len(compounds) == len(weights):
        raise ValueError(
            f"bootstrap: got {len(values)} values, {len(compounds)} compounds and {len(weights)} weights. Give one of "
            "each per row, and at least one row"
        )
    if not np.isfinite(values).all() or not (weights > 0).all():
        raise ValueError("bootstrap: values must be finite and weights positive")
    return values, compounds, weights

"""Bootstrap intervals of means over queries, by resampling compounds.

Queries of one compound resemble each other, so compounds are what is drawn again, with all their queries (the cluster
bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8; percentile intervals).
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_WEIGHTS = 1 << 22  # of resampled compounds held at a time: 32 MiB


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
        (N,) compound that each row is of, of any type.
    confidence
        Nominal probability that the interval covers, between 0 and 1. Of few compounds (less than about 30) it covers
        less often.
    resamples, seed
        Number of resamples, and their seed; equal seeds resample equally many compounds in the same way.
    weights
        (N,) positive weights of the rows; all the same if not given.

    Returns
    -------
    tuple
        (low, high): floats for (N,) values, float64 (K,) for (N, K).

    Raises
    ------
    ValueError
        If there are no rows, lengths differ, or a value is not finite.
    """
    values, compounds, weights = _checked(values, compounds, weights)
    codes, names = pd.factorize(compounds)
    table = values.reshape(len(values), -1) * weights[:, None]
    size = len(names)
    sums = np.stack([np.bincount(codes, column, size) for column in table.T], axis=1)
    totals = np.bincount(codes, weights, size)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, table.shape[1]))
    step = max(1, _WEIGHTS // size)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(float)
        means[start : start + rows] = (times @ sums) / (times @ totals)[:, None]
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
    """Mean of ``a - b`` over queries that both answer, with its interval by :func:`clustered_mean_interval`.

    Parameters
    ----------
    a, b
        (N,) or (N, K): row i of both is of the same query.
    compounds, confidence, resamples, seed, weights
        As in :func:`clustered_mean_interval`.

    Returns
    -------
    tuple
        (difference, low, high): floats for (N,), float64 (K,) for (N, K).

    Raises
    ------
    ValueError
        As ``clustered_mean_interval``, and if shapes of ``a`` and ``b`` differ.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        raise ValueError(f"paired_difference: a is of shape {a.shape}, b of {b.shape}")
    values, compounds, weights = _checked(a - b, compounds, weights)
    low, high = clustered_mean_interval(values, compounds, confidence, resamples, seed, weights)
    difference = np.average(values, axis=0, weights=weights)
    return (float(difference) if values.ndim == 1 else difference), low, high


def _checked(values, compounds, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, compounds = np.asarray(values, float), np.asarray(compounds)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    if not len(values) or not len(values) == len(compounds) == len(weights):
        raise ValueError(
            f"bootstrap: {len(values)} values of {len(compounds)} compounds with {len(weights)} weights: "
            "needs as many of each, at least one"
        )
    if not np.isfinite(values).all() or not (weights > 0).all():
        raise ValueError("bootstrap: values must be finite and weights positive")
    return values, compounds, weights

"""Kernels between the features of compounds: the min-max kernel and the dot product."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist

KernelName = Literal["min_max", "linear"]

_BLOCK = 1024  # rows whose kernel is computed at a time
_LEVELS = 16  # largest mean number of levels per feature for which counts are expanded


def min_max_kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of minima divided by sum of maxima, for each pair of rows. Of bits, it is the Tanimoto coefficient.

    The kernel is positive semidefinite for features that are not negative (Ralaivola et al., Neural Networks 18, 2005,
    1093). Rows without any feature have the value 1 with one another.

    Parameters
    ----------
    first, second
        (n, d) and (m, d) numbers that are not negative, such as bits or counts.

    Returns
    -------
    numpy.ndarray
        (n, m) float64.

    Raises
    ------
    ValueError
        If a number is negative or not finite.

    Notes
    -----
    For whole numbers, each feature is expanded into one bit per level, so that a matrix product gives the sums of
    minima. This is exact, and takes n m times the sum of the largest counts. For other numbers, it follows from the
    city block distance, which takes about 30 times as long. Besides the result, memory is needed for the expanded
    ``second`` and for one block of ``first``.

    Examples
    --------
    >>> min_max_kernel(np.array([[1, 0, 3]]), np.array([[1, 2, 1], [1, 0, 3]]))
    array([[0.33333333, 1.        ]])
    """
    for rows in (first, second):
        if not np.isfinite(rows).all() or rows.min(initial=0) < 0:
            raise ValueError(
                "the min-max kernel needs features that are finite and not negative, such as bits or counts: choose "
                "another view, or the linear kernel"
            )
    largest = np.maximum(first.max(axis=0, initial=0), second.max(axis=0, initial=0))
    is_whole = all(np.array_equal(rows, np.floor(rows)) for rows in (first, second))
    minima = _minima_of_counts if is_whole and largest.sum() <= _LEVELS * len(largest) else _minima
    second_sums = second.sum(axis=1, dtype=np.float64)
    kernel = np.empty((len(first), len(second)))
    of_second = minima(second, largest)
    for start in range(0, len(first), _BLOCK):
        block = first[start : start + _BLOCK]
        sums = block.sum(axis=1, dtype=np.float64)[:, None] + second_sums
        shared = of_second(block, sums)
        either = sums - shared
        kernel[start : start + _BLOCK] = np.divide(shared, either, out=np.ones_like(sums), where=either > 0)
    return kernel


#: rows and the sums of both rows of each pair -> sums of minima
_Minima = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _minima_of_counts(second: np.ndarray, largest: np.ndarray) -> _Minima:
    """Sums of minima of whole numbers: the number of levels that both rows reach."""
    repeats = largest.astype(np.int64)
    features = np.repeat(np.arange(len(largest)), repeats)
    levels = 1 + np.arange(len(features)) - np.repeat(np.cumsum(repeats) - repeats, repeats)

    def reached(rows: np.ndarray) -> np.ndarray:
        return (rows[:, features] >= levels).astype(np.float32)

    reached_by_second = reached(second).T
    return lambda rows, sums: (reached(rows) @ reached_by_second).astype(np.float64)


def _minima(second: np.ndarray, largest: np.ndarray) -> _Minima:
    """Sums of minima of real numbers: min(x, y) = (x + y - |x - y|) / 2."""
    return lambda rows, sums: np.maximum((sums - cdist(rows, second, "cityblock")) / 2, 0)


def linear_kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dot products of the rows of (n, d) and (m, d): (n, m) float64."""
    return first.astype(np.float64) @ second.astype(np.float64).T


_KERNELS = {"min_max": min_max_kernel, "linear": linear_kernel}


def mean_kernel(first: np.ndarray, second: np.ndarray, kernel: KernelName, widths: Sequence[int]) -> np.ndarray:
    """Mean over the kernels of several sets of features, which lie side by side.

    Parameters
    ----------
    first, second
        (n, d) and (m, d) features.
    kernel
        Kernel of each set.
    widths
        Number of features of each set. Their sum is d.

    Returns
    -------
    numpy.ndarray
        (n, m) float64.

    Raises
    ------
    ValueError
        If the widths do not add up to d.
    """
    if sum(widths) != first.shape[1] or first.shape[1] != second.shape[1]:
        raise ValueError(f"sets of {list(widths)} features do not fit rows of {first.shape[1]} and {second.shape[1]}")
    total = np.zeros((len(first), len(second)))
    ends = np.cumsum(widths)
    for start, end in zip(ends - widths, ends, strict=True):
        total += _KERNELS[kernel](first[:, start:end], second[:, start:end])
    return total / len(widths)

"""Batches of pairs: which fields are in a batch, and reading batches in advance."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

S = TypeVar("S")
T = TypeVar("T")


def epoch_batches(units: np.ndarray, batch_size: int, unique: bool, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the batches of one epoch.

    With ``unique``, an epoch makes several passes over the units. Their number is the mean number of fields per unit,
    rounded. Each pass takes one field of every unit. The fields of a unit are taken in random order. A unit with fewer
    fields than passes repeats its fields, so that all units have the same weight.

    Without ``unique``, an epoch takes every field once.

    Fields that do not fill the last batch are left out. They differ between epochs.

    Parameters
    ----------
    units : (fields,) int
        Code of the unit of each field: its compound or its treatment.
    batch_size : int
        Fields per batch. Batches are smaller if there are fewer units (with ``unique``) or fewer fields.
    unique : bool
        Whether a unit occurs at most once in a batch.
    rng : numpy.random.Generator
        Source of the random draws.

    Returns
    -------
    list of (batch_size,) int
        Positions in ``units``.

    Examples
    --------
    >>> units = np.array([0, 0, 0, 1, 2, 2])
    >>> batches = epoch_batches(units, 3, unique=True, rng=np.random.default_rng(0))
    >>> [sorted(units[batch].tolist()) for batch in batches]
    [[0, 1, 2], [0, 1, 2]]
    """
    if not unique:
        size = min(batch_size, len(units))
        return _full_batches(rng.permutation(len(units)), size)[0]
    _, codes, counts = np.unique(units, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(len(units))
    by_unit = shuffled[np.argsort(codes[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    size = min(batch_size, len(counts))
    batches: list[np.ndarray] = []
    leftover = np.empty(0, dtype=by_unit.dtype)
    for number in range(max(1, round(len(units) / len(counts)))):
        order = rng.permutation(len(counts))
        # Units of fields that are left over from the previous pass go last, so that no batch holds them twice.
        is_left_over = np.isin(order, codes[leftover])
        order = np.concatenate([order[~is_left_over], order[is_left_over]])
        fields = by_unit[first[order] + number % counts[order]]
        full, leftover = _full_batches(np.concatenate([leftover, fields]), size)
        batches += full
    return batches


def several_fields(
    batches: list[np.ndarray], units: np.ndarray, count: int, plates: np.ndarray | None, rng: np.random.Generator
) -> list[np.ndarray]:
    """Add further fields of the same unit to each field of the batches.

    They are drawn at random from the other fields of the unit, first from plates that are not yet in the row. A unit
    with fewer fields repeats its fields.

    Parameters
    ----------
    batches : list of (B,) int
        Positions in ``units``, as :func:`epoch_batches` returns them.
    units : (fields,) int
        Code of the unit of each field.
    count : int
        Fields per row.
    plates : (fields,) int, optional
        Code of the plate of each field. None: all fields are on one plate.
    rng : numpy.random.Generator
        Source of the random draws.

    Returns
    -------
    list of (B, count) int
        Positions in ``units``. The first column holds the given fields.

    Examples
    --------
    >>> units, plates = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0])
    >>> several_fields([np.array([0, 3])], units, 2, plates, np.random.default_rng(0))[0].tolist()
    [[0, 2], [3, 3]]
    """
    _, codes, counts = np.unique(units, return_inverse=True, return_counts=True)
    by_unit, first = np.argsort(codes, kind="stable"), np.cumsum(counts) - counts
    plates = np.zeros(len(units), np.int64) if plates is None else np.asarray(plates)
    rows = []
    for batch in batches:
        available = counts[codes[batch]]
        starts = np.cumsum(available) - available
        row = np.repeat(np.arange(len(batch)), available)  # row of each candidate, which is a field of the row's unit
        candidates = by_unit[first[codes[batch]][row] + np.arange(len(row)) - starts[row]]
        draws = np.where(candidates == batch[row], -1.0, rng.random(len(row)))  # the given field comes first
        # Number of earlier candidates of the row that are on the same plate.
        order = np.lexsort((draws, plates[candidates], row))
        group = np.stack([row, plates[candidates]])[:, order]
        begins = np.flatnonzero(np.r_[True, (group[:, 1:] != group[:, :-1]).any(axis=0)])
        earlier = np.empty(len(row), np.int64)
        earlier[order] = np.arange(len(row)) - np.repeat(begins, np.diff(np.r_[begins, len(row)]))
        candidates = candidates[np.lexsort((draws, earlier, row))]
        rows.append(candidates[starts[:, None] + np.arange(count) % available[:, None]])
    return rows


def _full_batches(order: np.ndarray, size: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Divide into batches of a size; return them and what is left over."""
    end = len(order) // size * size
    return list(order[:end].reshape(-1, size)), order[end:]


def one_field_per_unit(units: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one field of every unit; return the positions, sorted by unit."""
    shuffled = rng.permutation(len(units))
    return shuffled[np.unique(units[shuffled], return_index=True)[1]]


def as_tensor(array: np.ndarray, pin: bool = False) -> torch.Tensor:
    """Make a tensor that shares the memory of the array where possible.

    With ``pin``, it is copied to page-locked memory instead, so that the copy to the GPU runs while the GPU computes.
    """
    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    return tensor.pin_memory() if pin else tensor


def timed(batches: Iterator[T]) -> Iterator[tuple[float, T]]:
    """Yield each batch with the seconds that the caller waited for it: (seconds, batch)."""
    while True:
        begin = time.perf_counter()
        try:
            batch = next(batches)
        except StopIteration:
            return
        yield time.perf_counter() - begin, batch


def prefetch(load: Callable[[S], T], batches: Iterable[S], ahead: int = 2) -> Iterator[T]:
    """Yield loaded batches in order; threads load the next ``ahead`` batches while the caller works.

    Unlike a torch DataLoader, it starts no processes. Threads are enough, since a batch is a memory-mapped read that
    releases Python's global lock.
    """
    pending: deque = deque()
    with ThreadPoolExecutor(ahead) as pool:
        try:
            for batch in batches:
                pending.append(pool.submit(load, batch))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

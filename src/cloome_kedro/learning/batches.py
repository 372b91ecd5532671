"""Batches of pairs: which fields meet in a batch, and reading them ahead of the training step."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")


def epoch_batches(units: np.ndarray, batch_size: int, unique: bool, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the batches of one epoch.

    With ``unique``, an epoch is a number of passes over the units: the mean number of fields of a unit, rounded. Each
    pass shows every unit once. A unit's fields take turns in random order; a unit with fewer fields than there are
    passes starts again with its first field. So all units have the same weight, whatever their numbers of fields.
    Without ``unique``, an epoch shows every field once. Fields that do not fill a last batch are left out; they are
    other fields in every epoch.

    Parameters
    ----------
    units : (fields,) int
        Code of what each field shows (compound or treatment).
    batch_size : int
        Fields in a batch; fewer where there are fewer units (``unique``) or fields.
    unique : bool
        Whether a unit occurs at most once in a batch.
    rng : numpy.random.Generator
        Drawn from.

    Returns
    -------
    list of (batch_size,) int
        Positions into ``units``.
    """
    if not unique:
        size = min(batch_size, len(units))
        return _cut(rng.permutation(len(units)), size)[0]
    _, codes, counts = np.unique(units, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(len(units))
    by_unit = shuffled[np.argsort(codes[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    size = min(batch_size, len(counts))
    batches: list[np.ndarray] = []
    queue = np.empty(0, dtype=by_unit.dtype)
    for k in range(max(1, round(len(units) / len(counts)))):
        order = rng.permutation(len(counts))
        # Units that still wait from the pass before go last, so that no batch holds them twice.
        waits = np.isin(order, codes[queue])
        order = np.concatenate([order[~waits], order[waits]])
        full, queue = _cut(np.concatenate([queue, by_unit[first[order] + k % counts[order]]]), size)
        batches += full
    return batches


def _cut(order: np.ndarray, size: int) -> tuple[list[np.ndarray], np.ndarray]:
    end = len(order) // size * size
    return list(order[:end].reshape(-1, size)), order[end:]


def one_field_per_unit(units: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Position of one random field of every unit, in the units' order."""
    shuffled = rng.permutation(len(units))
    return shuffled[np.unique(units[shuffled], return_index=True)[1]]


def as_tensor(array: np.ndarray, pin: bool = False) -> torch.Tensor:
    """Tensor that shares the array's memory where it can, or lies in page-locked memory, from where it goes to a GPU
    while that computes."""
    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    return tensor.pin_memory() if pin else tensor


def timed(batches: Iterator[T]) -> Iterator[tuple[float, T]]:
    """Pairs of the seconds waited for a batch, and the batch."""
    while True:
        begin = time.perf_counter()
        try:
            batch = next(batches)
        except StopIteration:
            return
        yield time.perf_counter() - begin, batch


def prefetch(load: Callable[[np.ndarray], T], batches: Iterable[np.ndarray], ahead: int = 2) -> Iterator[T]:
    """Load batches in order, ``ahead`` of them in threads while the caller works on the one before.

    A torch DataLoader would start processes. Threads are enough here: a batch is one memory-mapped read, which does not
    hold Python's lock.
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

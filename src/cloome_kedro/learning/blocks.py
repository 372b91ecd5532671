"""Batches of a store that is larger than memory: fields are read block by block, and shuffled among a few blocks.

A block has fields that are next to one another on the disk. Blocks are taken in random order, a few of them at a time,
and the batches take the fields of these blocks in random order. So only these blocks have to be in memory, and each
part of the disk is read once per epoch.
"""

from collections import deque
from typing import NamedTuple

import numpy as np


class Randomness(NamedTuple):
    """Share of the pairs of fields of a batch that are from the same block, and the share in batches of all fields."""

    same_block: float
    uniform: float


def blocks_of(positions: np.ndarray, rows: int) -> np.ndarray:
    """Divide fields into blocks of neighbours.

    Parameters
    ----------
    positions : (n,) int
        Place of each field on the disk.
    rows
        Fields per block. The last block can have fewer.

    Returns
    -------
    (n,) int
        Number of the block of each field, from 0.

    Examples
    --------
    >>> blocks_of(np.array([10, 70, 20, 30]), 2).tolist()
    [0, 1, 0, 1]
    """
    ranks = np.empty(len(positions), np.int64)
    ranks[np.argsort(positions, kind="stable")] = np.arange(len(positions))
    return ranks // rows


def shuffled_in_blocks(blocks: np.ndarray, open_blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an order of all fields in which those of ``open_blocks`` blocks follow one another, mixed at random.

    Parameters
    ----------
    blocks : (n,) int
        Number of the block of each field, from 0.
    open_blocks
        Blocks whose fields are mixed.
    rng
        Source of the random draws.

    Returns
    -------
    (n,) int
        Positions in ``blocks``.
    """
    groups = rng.permutation(blocks.max() + 1) // open_blocks  # group of each block
    return np.lexsort((rng.random(len(blocks)), groups[blocks]))


def block_batches(
    units: np.ndarray, blocks: np.ndarray, batch_size: int, *, open_blocks: int, unique: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw the batches of one epoch, which takes every field once. Fields that do not fill the last batch are left out.

    With ``unique``, a field whose unit is in the batch already waits for a later batch. If the units of those that wait
    at the end are too few for a batch, it is filled with random fields of other units, which then occur twice.

    Parameters
    ----------
    units, unique
        As for :func:`cloome_kedro.learning.batches.epoch_batches`.
    blocks, open_blocks
        As for :func:`shuffled_in_blocks`.
    batch_size : int
        Fields per batch. Batches are smaller if there are fewer units (with ``unique``) or fewer fields.
    rng
        Source of the random draws.

    Returns
    -------
    list of (batch_size,) int
        Positions in ``units``.

    Examples
    --------
    >>> units, blocks = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 1, 1])
    >>> rng = np.random.default_rng(0)
    >>> batches = block_batches(units, blocks, 3, open_blocks=2, unique=True, rng=rng)
    >>> [sorted(units[batch].tolist()) for batch in batches]
    [[0, 1, 2], [0, 1, 2]]
    """
    order = shuffled_in_blocks(blocks, open_blocks, rng)
    if not unique:
        size = min(batch_size, len(order))
        return list(order[: len(order) // size * size].reshape(-1, size))
    size = min(batch_size, len(np.unique(units)))
    unit_of, upcoming = units.tolist(), iter(order.tolist())
    batches: list[np.ndarray] = []
    waiting: deque[int] = deque()
    while len(batches) < len(order) // size:
        batch: list[int] = []
        present: set[int] = set()
        still_waiting: deque[int] = deque()
        while len(batch) < size:
            field = waiting.popleft() if waiting else next(upcoming, None)
            if field is None:
                others = rng.permutation(len(units))
                others = others[np.sort(np.unique(units[others], return_index=True)[1])]  # one field of each unit
                batch += others[~np.isin(units[others], units[batch])][: size - len(batch)].tolist()
            elif unit_of[field] in present:
                still_waiting.append(field)
            else:
                present.add(unit_of[field])
                batch.append(field)
        waiting = still_waiting + waiting
        batches.append(np.array(batch))
    return batches


def randomness(batches: list[np.ndarray], blocks: np.ndarray) -> Randomness:
    """Measure how random batches are: how often two fields of a batch are from the same block.

    Parameters
    ----------
    batches
        (B,) int each: positions in ``blocks``.
    blocks : (n,) int
        Number of the block of each field.
    """
    same, pairs = 0, 0
    for batch in batches:
        counts = np.bincount(blocks[batch])
        same += int((counts * (counts - 1)).sum())
        pairs += len(batch) * (len(batch) - 1)
    counts = np.bincount(blocks)
    uniform = float((counts * (counts - 1)).sum()) / max(1, len(blocks) * (len(blocks) - 1))
    return Randomness(same / max(1, pairs), uniform)

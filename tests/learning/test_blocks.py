"""Batches from a few open blocks: what they hold, how much must be in memory, and how random they are."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from cloome_kedro.learning.batches import epoch_batches
from cloome_kedro.learning.blocks import block_batches, blocks_of, randomness, shuffled_in_blocks
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.training_batches import TrainingBatches
from planted import CONFIG, TRAINING, Planted

FIELDS, ROWS = 4000, 50
POSITIONS = np.random.default_rng(0).permutation(FIELDS)
BLOCKS = blocks_of(POSITIONS, ROWS)


def draw(open_blocks, *, unique=False, units=None, size=64, seed=0):
    units = np.arange(FIELDS) if units is None else units
    rng = np.random.default_rng(seed)
    return block_batches(units, BLOCKS, size, open_blocks=open_blocks, unique=unique, rng=rng)


def test_blocks_are_neighbours_on_the_disk():
    assert np.bincount(BLOCKS).tolist() == [ROWS] * (FIELDS // ROWS)
    for block in range(FIELDS // ROWS):
        assert sorted(POSITIONS[block == BLOCKS]) == list(range(block * ROWS, (block + 1) * ROWS))
    assert np.bincount(blocks_of(np.arange(7), 3)).tolist() == [3, 3, 1]


@pytest.mark.parametrize("open_blocks", [1, 3, 8, 80, 500])
def test_few_blocks_are_open_at_a_time(open_blocks):
    order = shuffled_in_blocks(BLOCKS, open_blocks, np.random.default_rng(0))
    assert sorted(order) == list(range(FIELDS)), "each field once"
    first, last = (np.unique(BLOCKS[part], return_index=True)[1] for part in (order, order[::-1]))
    is_open = np.zeros(FIELDS + 1, int)
    np.add.at(is_open, first, 1)
    np.add.at(is_open, FIELDS - last, -1)
    assert is_open.cumsum().max() == min(open_blocks, FIELDS // ROWS)


@pytest.mark.parametrize("open_blocks", [1, 4, 16, 80])
def test_randomness_is_what_the_open_blocks_allow(open_blocks):
    """Two fields out of k blocks of m fields are of the same block with probability (m - 1) / (k m - 1)."""
    batches = [batch for seed in range(3) for batch in draw(open_blocks, size=10, seed=seed)]
    found = randomness(batches, BLOCKS)
    assert found.same_block == pytest.approx((ROWS - 1) / (open_blocks * ROWS - 1), rel=0.06)
    assert found.uniform == pytest.approx((ROWS - 1) / (FIELDS - 1))


def test_batches_of_all_fields_are_uniform():
    batches = [
        batch
        for seed in range(5)
        for batch in epoch_batches(np.arange(FIELDS), 64, unique=False, rng=np.random.default_rng(seed))
    ]
    found = randomness(batches, BLOCKS)
    assert found.same_block == pytest.approx(found.uniform, rel=0.05)
    whole = randomness([batch for seed in range(5) for batch in draw(80, seed=seed)], BLOCKS)
    assert whole.same_block == pytest.approx(whole.uniform, rel=0.05), "with all blocks open, it is the same"


@pytest.mark.parametrize("open_blocks", [4, 20])
def test_units_are_unique_in_a_batch(open_blocks):
    """Six fields of a unit are neighbours, as the sites of a well are."""
    units = np.empty(FIELDS, int)
    units[np.argsort(POSITIONS)] = np.arange(FIELDS) // 6
    batches = draw(open_blocks, unique=True, units=units, size=30)
    fields = np.concatenate(batches)
    assert len(fields) == FIELDS // 30 * 30
    assert len(set(fields.tolist())) > 0.97 * FIELDS
    assert all(len(batch) == len(np.unique(units[batch])) == 30 for batch in batches)
    others = draw(open_blocks, unique=True, units=units, size=30, seed=1)
    assert not np.array_equal(others[0], batches[0])
    again = draw(open_blocks, unique=True, units=units, size=30)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_every_epoch_has_as_many_batches():
    """Also if a unit has a third of all fields, which do not find a place in unique batches."""
    units = np.where(np.arange(FIELDS) % 3 == 0, 0, np.arange(FIELDS))
    for seed in range(3):
        batches = draw(8, unique=True, units=units, seed=seed)
        assert len(batches) == FIELDS // 64
        assert all(len(np.unique(units[batch])) == 64 for batch in batches)


def test_few_units_give_small_batches():
    units = np.arange(FIELDS) % 7
    batches = draw(4, unique=True, units=units)
    assert {len(batch) for batch in batches} == {7}
    assert len(draw(4, size=10**6)) == 1


def test_a_training_reads_few_blocks_at_a_time(caplog):
    """Fields of the training fold that are neighbours on the disk; the log says how random the batches are."""
    caplog.set_level(logging.INFO)
    data = Planted().data()
    place = np.random.default_rng(0).permutation(len(data.units))
    data = replace(data, field=replace(data.field, rows=replace(data.field.rows, place=place)))
    config = replace(CONFIG, block_rows=16, open_blocks=8)
    batches = TrainingBatches(data, config, seed=0)
    epochs = [batches.of_epoch(epoch) for epoch in range(2)]
    assert {len(batch) for epoch in epochs for batch in epoch} == {64}
    assert [len(epoch) for epoch in epochs] == [2 * TRAINING // 64] * 2
    ranks = np.argsort(np.argsort(place[data.train]))
    rank_of_pair = dict(zip(data.train.tolist(), ranks.tolist(), strict=True))
    for epoch in epochs:
        assert len({rank_of_pair[pair] // 16 for pair in epoch[0].tolist()}) <= 8
        assert all(len(set(data.units[batch])) == 64 for batch in epoch)
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("32 blocks of 16 fields, of which 8 are open: ")
    in_memory = TrainingBatches(Planted().data(), config, seed=0)
    plain = TrainingBatches(Planted().data(), CONFIG, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(in_memory.of_epoch(0), plain.of_epoch(0), strict=True))


def test_several_fields_of_a_compound_are_refused():
    with pytest.raises(ValueError, match="block_rows needs fields_per_compound: 1"):
        FitConfig(block_rows=64, fields_per_compound=2)
    with pytest.raises(ValueError, match="block_rows must be at least 1, is 0"):
        FitConfig(block_rows=0)

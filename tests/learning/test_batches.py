"""Which fields meet in a batch, and that reading ahead neither reorders nor loses any."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.learning.batches import as_tensor, epoch_batches, one_field_per_unit, prefetch, timed


@given(
    units=st.lists(st.integers(0, 12), min_size=1, max_size=80).map(np.array),
    batch_size=st.integers(2, 10),
    seed=st.integers(0, 9),
)
def test_a_batch_holds_no_unit_twice(units, batch_size, seed):
    batches = epoch_batches(units, batch_size, True, np.random.default_rng(seed))
    n_units = len(np.unique(units))
    size, passes = min(batch_size, n_units), max(1, round(len(units) / n_units))
    assert len(batches) == passes * n_units // size
    for batch in batches:
        assert len(batch) == size == len(np.unique(units[batch]))
    shown = np.bincount(np.unique(units, return_inverse=True)[1][np.concatenate(batches)], minlength=n_units)
    # All passes together show each unit as often, but for what did not fill the last batch.
    assert shown.max() <= passes
    assert (passes - shown).sum() == passes * n_units - len(batches) * size


def test_an_epoch_shows_every_field_of_even_units_once():
    units = np.repeat(np.arange(8), 3)
    batches = epoch_batches(units, 4, True, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(24))


def test_fields_of_a_unit_are_drawn_evenly():
    units = np.array([0] * 5 + [1, 2, 3])
    seen = [epoch_batches(units, 4, True, np.random.default_rng(e)) for e in range(400)]
    counts = np.bincount(np.concatenate([b for batches in seen for b in batches]), minlength=8)
    passes = 2
    assert counts[5:] == pytest.approx(400 * passes)
    assert counts[:5] == pytest.approx(400 * passes / 5, rel=0.3)


def test_without_uniqueness_every_field_is_shown_once():
    batches = epoch_batches(np.zeros(10, int), 3, False, np.random.default_rng(0))
    shown = np.concatenate(batches)
    assert [len(b) for b in batches] == [3, 3, 3]
    assert len(np.unique(shown)) == 9


def test_epochs_follow_their_generator():
    units = np.arange(50) % 20
    first, again, other = (
        np.concatenate(epoch_batches(units, 8, True, np.random.default_rng(seed))) for seed in ([0, 1], [0, 1], [0, 2])
    )
    assert (first == again).all()
    assert (first != other).any()


def test_one_field_per_unit():
    units = np.array([7, 7, 3, 9, 3, 7])
    drawn = [one_field_per_unit(units, np.random.default_rng(s)) for s in range(100)]
    assert all(units[d].tolist() == [3, 7, 9] for d in drawn)
    assert {d[1] for d in drawn} == {0, 1, 5}


def test_a_tensor_shares_its_arrays_memory_where_it_can():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tensor = as_tensor(array)
    array[0, 0] = 77
    assert tensor[0, 0] == 77
    array.flags.writeable = False
    for other in (array, array.T):
        tensor = as_tensor(other)
        tensor[0, 0] = 5
        assert other[0, 0] == 77
        assert tensor.shape == other.shape


def test_waiting_for_batches_is_timed(monkeypatch):
    """Not the time that the caller takes."""
    now = [0.0]
    monkeypatch.setattr("cloome_kedro.learning.batches.time", SimpleNamespace(perf_counter=lambda: now[0]))

    def slow():
        for batch, seconds in (("first", 2), ("second", 3)):
            now[0] += seconds
            yield batch

    found = []
    for waited, batch in timed(slow()):
        now[0] += 100
        found.append((waited, batch))
    assert found == [(2, "first"), (3, "second")]


def test_prefetch_keeps_order_and_reads_in_other_threads():
    threads = set()

    def load(batch):
        threads.add(threading.get_ident())
        return int(batch[0])

    assert list(prefetch(load, (np.array([i]) for i in range(20)))) == list(range(20))
    assert threading.get_ident() not in threads


def test_prefetch_hands_on_what_goes_wrong():
    def load(batch):
        if batch[0] == 3:
            raise OSError("plate file is gone")
        return batch[0]

    found = prefetch(load, np.arange(6)[:, None])
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_prefetch_reads_ahead_no_further_than_it_is_asked_to():
    read = []

    def load(batch):
        read.append(int(batch[0]))
        return read[-1]

    found = prefetch(load, np.arange(20)[:, None], ahead=2)
    assert next(found) == 0
    found.close()
    assert max(read) <= 2

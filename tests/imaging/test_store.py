import os
import pickle

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.store import PlateStore

FIELDS = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 7), dtype=np.uint8)


def write(store, name, fields, digest="d"):
    with store.writer(name, digest) as writer:
        rows = [writer.append(field) for field in fields]
        writer.commit(pd.DataFrame({"field_id": [f"{name}/{row}" for row in rows], "row": rows, "reason": None}))


@pytest.fixture
def store(tmp_path):
    store = PlateStore(tmp_path)
    write(store, "P1", FIELDS[:4])
    write(store, "P2", FIELDS[4:])
    return store


def test_a_plate_is_a_plain_npy_file(store):
    np.testing.assert_array_equal(np.load(store.images("P2")), FIELDS[4:])
    assert sorted(path.name for path in store.folder.iterdir()) == ["P1.npy", "P1.parquet", "P2.npy", "P2.parquet"]
    assert store.record("P1")["row"].tolist() == [0, 1, 2, 3]
    assert store.shape("P1") == (6, 7)
    assert store.shape("P3") is None


def test_bytes_are_those_of_numpy(store, tmp_path):
    np.save(tmp_path / "numpy.npy", FIELDS[4:])
    assert (tmp_path / "numpy.npy").read_bytes() == store.images("P2").read_bytes()


def test_current_means_whole_and_of_this_digest(store):
    assert store.is_current("P1", "d")
    assert not store.is_current("P1", "e")
    assert not store.is_current("P3", "d")
    whole = store.images("P1").read_bytes()
    store.images("P1").write_bytes(whole[:-1])
    assert not store.is_current("P1", "d")
    store.images("P1").unlink()
    assert not store.is_current("P1", "d")


def test_a_broken_record_counts_for_nothing(store):
    (store.folder / "P1.parquet").write_bytes(b"PAR1")
    assert not store.is_current("P1", "d")


def test_a_plate_without_good_fields_has_a_record_only(store):
    with store.writer("P1", "f") as writer:
        writer.commit(pd.DataFrame({"field_id": ["x"], "row": [-1], "reason": ["black"]}))
    assert store.is_current("P1", "f")
    assert not store.images("P1").exists()


def test_left_without_commit_nothing_changes(store):
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    with store.writer("P1", "e") as writer:
        writer.append(FIELDS[0])
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


@pytest.mark.parametrize("step", [0, 1])
def test_an_end_between_the_renames_never_leaves_a_wrong_pair(store, monkeypatch, step):
    calls = []
    replace = os.replace

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == step + 1:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(KeyboardInterrupt):
        write(store, "P1", FIELDS[6:10], "e")
    monkeypatch.undo()
    assert not store.is_current("P1", "d")
    assert not store.is_current("P1", "e")
    write(store, "P1", FIELDS[6:10], "e")
    assert store.is_current("P1", "e")


def test_remains_of_a_killed_run_are_removed(store):
    remains = [store.folder / ".P1.npy.999.part", store.folder / ".P1.parquet.999.part"]
    for path in remains:
        path.write_bytes(b"half")
    other = store.folder / ".P10.npy.999.part"
    other.write_bytes(b"of another plate")
    write(store, "P1", FIELDS[:2], "e")
    assert not any(path.exists() for path in remains)
    assert other.exists()


def test_of_two_runs_at_a_time_one_stops_and_says_so(store):
    first = store.writer("P1", "e")
    first.append(FIELDS[0])
    parts = list(store.folder.glob(".P1.npy.*.part"))
    parts[0].rename(parts[0].with_name(".P1.npy.1.part"))  # as of another process
    write(store, "P1", FIELDS[1:3], "f")
    with first, pytest.raises(RuntimeError, match=r"another run writes .*P1.npy at the same time"):
        first.commit(pd.DataFrame({"field_id": ["x"], "row": [0], "reason": [None]}))
    assert not store.is_current("P1", "e")


def test_fields_of_a_plate_have_one_shape(store):
    with store.writer("P1", "e") as writer:
        writer.append(FIELDS[0])
        with pytest.raises(ValueError, match=r"a field of \(5, 6, 7\) uint8 is expected"):
            writer.append(FIELDS[0][:, :3])


def test_reading_batches_over_plates(store):
    plates, rows = ["P2"] * 8 + ["P1"] * 4, [*range(8), *range(4)]
    reader = store.reader(plates, rows)
    assert len(reader) == 12
    assert reader.shape == (5, 6, 7)
    all_fields = np.concatenate([FIELDS[4:], FIELDS[:4]])
    indices = np.random.default_rng(1).integers(0, 12, 30)
    fields = reader(indices)
    assert fields.dtype == np.uint8
    np.testing.assert_array_equal(fields, all_fields[indices])
    fields[:] = 0  # the caller's own copy
    np.testing.assert_array_equal(reader(np.array([3])), all_fields[[3]])
    assert reader(np.array([], dtype=int)).shape == (0, 5, 6, 7)


def test_a_reader_travels_as_names(store):
    reader = store.reader(["P1"] * 4, range(4))
    reader(np.arange(4))
    packed = pickle.dumps(reader)
    assert len(packed) < 2000
    np.testing.assert_array_equal(pickle.loads(packed)(np.arange(4)), FIELDS[:4])


def test_a_missing_plate_is_named(store):
    with pytest.raises(FileNotFoundError, match=r"there is no plate file .*P9.npy; run the pipeline ingestion"):
        store.reader(["P1", "P9"], [0, 0])


@pytest.mark.parametrize("row", [-1, 4])
def test_a_row_beyond_the_plate_is_named(store, row):
    with pytest.raises(ValueError, match=rf"P1.npy has no row {row}"):
        store.reader(["P2", "P1"], [0, row])


def test_plates_of_different_shapes_are_refused(store):
    write(store, "P3", np.zeros((2, 5, 3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"P3.npy has fields of \(5, 3, 3\), .*P1.npy of \(5, 6, 7\); set `size`"):
        store.reader(["P1", "P3"], [0, 0])


def test_lists_must_match_and_hold_something(store):
    with pytest.raises(ValueError, match="2 plate files and 1 rows"):
        store.reader(["P1", "P1"], [0])
    with pytest.raises(ValueError, match="0 plate files and 0 rows"):
        store.reader([], [])


@pytest.mark.parametrize("plate", ["BR1/2", "a b", "../up", "Plate_#1", "ü%"])
def test_any_plate_name_is_one_file_in_the_folder(store, plate):
    name = PlateStore.name(plate)
    write(store, name, FIELDS[:2])
    assert store.images(name).parent == store.folder
    assert store.images(name).is_file()
    assert store.is_current(name, "d")


def test_names_of_different_plates_differ():
    plates = ["a/b", "a_b", "a%2Fb", "a b", "a"]
    assert len({PlateStore.name(plate) for plate in plates}) == len(plates)

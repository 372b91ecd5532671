import dataclasses
import os
import pickle

import numpy as np
import pandas as pd
import pytest

import damaged_files
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.store import PlateStore, open_plate
from cloome_kedro.stores import DamagedFile

FIELDS = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 7), dtype=np.uint8)


STORAGE = {"channels": list(CHANNELS), **dataclasses.asdict(Storage())}


def write(store, name, fields, digest="d", storage=STORAGE):
    with store.writer(name, digest, storage) as writer:
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
    with store.writer("P1", "f", STORAGE) as writer:
        writer.commit(pd.DataFrame({"field_id": ["x"], "row": [-1], "reason": ["black"]}))
    assert store.is_current("P1", "f")
    assert not store.images("P1").exists()


def test_left_without_commit_nothing_changes(store):
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    with store.writer("P1", "e", STORAGE) as writer:
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
    remains = [store.folder / ".P1.999.part.npy", store.folder / f".P1.{os.getppid()}.part.parquet"]
    others = [store.folder / name for name in (".P10.999.part.npy", ".P1.2.999.part.npy", ".P1.2.999.part.parquet")]
    for path in remains + others:
        path.write_bytes(b"half")
    write(store, "P1", FIELDS[:2], "e")
    assert not any(path.exists() for path in remains)
    assert all(path.exists() for path in others), "they are of other plates"


def test_of_two_runs_at_a_time_one_stops_and_says_so(store):
    first = store.writer("P1", "e", STORAGE)
    first.append(FIELDS[0])
    (part,) = store.folder.glob(".P1.*.part.npy")
    part.rename(part.with_name(".P1.1.part.npy"))  # as if another process had written it
    write(store, "P1", FIELDS[1:3], "f")
    with first, pytest.raises(RuntimeError, match=r"another run writes .*P1.npy at the same time"):
        first.commit(pd.DataFrame({"field_id": ["x"], "row": [0], "reason": [None]}))
    assert not store.is_current("P1", "e")


def test_fields_of_a_plate_have_one_shape(store):
    with store.writer("P1", "e", STORAGE) as writer:
        writer.append(FIELDS[0])
        with pytest.raises(ValueError, match=r"the field must be uint8 \(5, 6, 7\), not"):
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


def test_windows_of_fields_are_read(store):
    write(store, "P1", FIELDS[:4])
    write(store, "P2", FIELDS[4:])
    reader = store.reader(["P2"] * (len(FIELDS) - 4) + ["P1"] * 4, [*range(len(FIELDS) - 4), *range(4)])
    height, width = reader.shape[1:]
    indices = np.array([len(FIELDS) - 1, 0, len(FIELDS) - 2])
    tops, lefts, size = np.array([0, 1, 1]), np.array([2, 0, 1]), (height - 1, width - 2)
    expected = [
        field[:, top : top + size[0], left : left + size[1]]
        for field, top, left in zip(reader(indices), tops, lefts, strict=True)
    ]
    np.testing.assert_array_equal(reader.windows(indices, tops, lefts, size), np.stack(expected))


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
    with pytest.raises(
        ValueError, match=r"P3.npy has fields of shape \(5, 3, 3\), but .*P1.npy has \(5, 6, 7\); set `storage.size`"
    ):
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


# ---- how fields are stored


def test_the_record_says_what_it_was_made_from_and_how_fields_are_stored(store):
    assert store.digest("P1") == "d"
    assert store.digest("P3") == "", "there is no such plate"
    described = store.storage(["P1", "P2", "P1"])
    assert described["channels"] == list(CHANNELS)
    described.pop("channels")
    assert Storage(**described | {"intensity": Intensity(**described["intensity"])}) == Storage()


def test_fields_that_are_stored_in_two_ways_are_refused(store):
    write(store, "P2", FIELDS[4:], storage=STORAGE | {"scope": "plate"})
    assert store.storage(["P1"])["scope"] == "field"
    assert store.storage(["P2"])["scope"] == "plate"
    with pytest.raises(
        ValueError,
        match=r"P2.parquet says that fields are stored as .*'plate'.*, but the fields of P1 are stored as .*'field'",
    ):
        store.storage(["P1", "P2"])


@pytest.mark.parametrize("kind", ["missing", "damaged", "without notes"])
def test_a_plate_that_does_not_say_how_fields_are_stored_is_refused(store, kind):
    record = store.folder / "P2.parquet"
    if kind == "missing":
        record.unlink()
    elif kind == "damaged":
        record.write_bytes(record.read_bytes()[:-9])
    else:
        write(store, "P2", FIELDS[4:], storage={})
    for plates in (["P1", "P2"], ["P2"]):
        with pytest.raises(ValueError, match=r"P2.parquet says that fields are stored as unknown.* run the pipeline"):
            store.storage(plates)


# ---- damaged files


@pytest.mark.parametrize("damage", damaged_files.PLATES)
def test_a_damaged_plate_is_not_current_and_its_path_is_named(store, damage):
    reader = pickle.dumps(store.reader(["P1", "P2"], [0, 0]))
    damaged_files.PLATES[damage](store.images("P1"))
    assert not store.is_current("P1", "d")
    assert store.is_current("P2", "d")
    message = r"P1\.npy (is damaged|holds) .*run the pipeline ingestion again"
    for use in (
        lambda: open_plate(store.images("P1")),
        lambda: store.shape("P1"),
        lambda: store.reader(["P2", "P1"], [0, 0]),
        lambda: pickle.loads(reader)(np.arange(2)),
    ):
        with pytest.raises(DamagedFile, match=message):
            use()
    write(store, "P1", FIELDS[:4])
    assert store.is_current("P1", "d")


def test_a_plate_with_fewer_fields_than_its_record_is_not_current(store):
    np.save(store.images("P1"), FIELDS[:3])
    assert not store.is_current("P1", "d")


@pytest.mark.parametrize("damage", damaged_files.TABLES)
def test_a_plate_with_a_damaged_record_is_not_current(store, damage):
    damaged_files.TABLES[damage](store.folder / "P1.parquet")
    assert not store.is_current("P1", "d")
    with pytest.raises((DamagedFile, KeyError)):
        _ = store.record("P1")["row"]
    write(store, "P1", FIELDS[:4])
    assert store.is_current("P1", "d")


def test_a_plate_is_on_the_disk_before_its_files_get_their_names(store, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: events.append("fsync") or fsync(descriptor))
    monkeypatch.setattr(os, "replace", lambda *paths: events.append("rename") or replace(*paths))
    write(store, "P3", FIELDS[:4])
    assert events == ["fsync", "fsync", "rename", "rename", "fsync"]

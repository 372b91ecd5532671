"""A store of plates on a server gives the same fields as one on the disk, and is copied once."""

import itertools
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("moto", reason="moto is not installed (extra dev)")
pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")

from kedro.io import DataCatalog, DatasetError

from cloome_kedro.datasets.remote_plates import RemotePlatesDataset
from cloome_kedro.file_states import places
from cloome_kedro.imaging.remote import RemoteError
from cloome_kedro.imaging.remote import plates as remote_plates
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.stores import digest_of
from s3_server import S3Server

FIELDS = np.random.default_rng(0).integers(0, 256, (6, 5, 8, 9), np.uint8)
NUMBERS = itertools.count()
NAMES, ROWS = ["P1", "P2", "P1", "P2"], [0, 2, 1, 0]


@pytest.fixture(scope="module")
def server():
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def on_disk(tmp_path):
    store = PlateStore(tmp_path / "plates")
    store.folder.mkdir()
    for name, images in (("P1", FIELDS[:3]), ("P2", FIELDS[3:])):
        write(store, name, images)
    (store.folder / "illumination").mkdir()
    np.savez(store.illumination("P1"), function=np.ones(3))
    return store


def write(store, name, images):
    with store.writer(name, digest_of(images.tolist()), {"size": [8, 9]}) as writer:
        rows = [writer.append(image) for image in images]
        writer.commit(pd.DataFrame({"field_id": [f"{name}/{row}" for row in rows], "row": rows, "reason": None}))


@pytest.fixture
def dataset(server, on_disk, tmp_path):
    """The store on the server, as a catalog has it."""
    bucket = f"bucket-{next(NUMBERS)}"
    server.upload(on_disk.folder, f"{bucket}/plates", public=False)
    server.requests.clear()
    config = {
        "type": "cloome_kedro.datasets.remote_plates.RemotePlatesDataset",
        "filepath": f"s3://{bucket}/plates",
        "folder": str(tmp_path / "copies"),
        "credentials": server.options,
    }
    yield DataCatalog.from_config({"plate_store": config})["plate_store"]
    server.failures.clear()
    remote_plates.forget_listings()


def copies(folder):
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in paths if not any(part[0] == "." for part in path.parts))


def test_fields_are_those_of_the_disk(dataset, on_disk, server):
    store = dataset.load()
    assert isinstance(store, PlateStore)
    np.testing.assert_array_equal(store.reader(NAMES, ROWS)(range(4)), on_disk.reader(NAMES, ROWS)(range(4)))
    for name in ("P1", "P2"):
        assert store.record(name).equals(on_disk.record(name))
        assert store.digest(name) == on_disk.digest(name) != ""
        assert store.shape(name) == (8, 9)
    assert store.storage(NAMES) == {"size": [8, 9]}
    assert store.illumination("P1").read_bytes() == on_disk.illumination("P1").read_bytes()
    assert not store.illumination("P2").exists()
    assert copies(store.folder) == ["P1.npy", "P1.parquet", "P2.npy", "P2.parquet", "illumination/P1.npz"]


def test_a_plate_is_copied_once_and_only_if_it_is_read(dataset, server):
    for _ in range(2):
        dataset.load().reader(["P1"], [0])
        dataset.load().reader(["P1", "P1"], [1, 2])
    assert copies(dataset.load().folder) == ["P1.npy"]
    assert server.requests["GET"] == 1


def test_a_plate_that_changes_on_the_server_is_copied_again(dataset, on_disk, server):
    before = dataset.load().reader(["P1"], [1])
    write(on_disk, "P1", FIELDS[:3] // 2)  # of the same size
    server.upload(on_disk.folder, dataset._filepath.removeprefix("s3://"), public=False)
    after = dataset.load().reader(["P1"], [1])
    np.testing.assert_array_equal(after([0])[0], FIELDS[1] // 2)
    np.testing.assert_array_equal(before([0])[0], FIELDS[1], "a file that is in use stays as it is")


def test_what_is_no_complete_copy_is_copied_again(dataset):
    store = dataset.load()
    store.reader(["P1"], [1])
    copy, version = store.folder / "P1.npy", store.folder / ".P1.npy.version.json"
    for damage in (
        lambda: os.truncate(copy, 300),
        copy.unlink,
        version.unlink,
        lambda: version.write_text("["),
        lambda: version.write_text(f'[{copy.stat().st_size}, "another"]'),
    ):
        damage()
        np.testing.assert_array_equal(store.reader(["P1"], [1])([0])[0], FIELDS[1])


def test_a_copy_that_ends_early_leaves_nothing(dataset, monkeypatch):
    store = dataset.load()
    monkeypatch.setattr(remote_plates.RemoteStorage, "download", lambda self, address, path: path.write_bytes(b"half"))
    with pytest.raises(OSError, match=r"4 of 1,\d+ bytes of s3://.*/P1.npy were copied: run again"):
        store.reader(["P1"], [0])
    assert copies(store.folder) == []
    assert not [path for path in store.folder.iterdir() if ".part" in path.name]
    monkeypatch.undo()
    np.testing.assert_array_equal(store.reader(["P1"], [0])([0])[0], FIELDS[0])


def test_several_readers_at_a_time_copy_a_plate_once(dataset, server):
    store = dataset.load()
    with ThreadPoolExecutor(4) as threads:
        for images in threads.map(lambda _: store.reader(["P1"], [0])([0]), range(4)):
            np.testing.assert_array_equal(images[0], FIELDS[0])
    assert server.requests["GET"] == 1
    other = pickle.loads(pickle.dumps(store))  # as in another process
    remote_plates.forget_listings()
    np.testing.assert_array_equal(other.reader(["P1", "P2"], [0, 0])([1])[0], FIELDS[3])
    assert server.requests["GET"] == 2


def test_what_cannot_work_is_one_clear_error(dataset, tmp_path, monkeypatch):
    store = dataset.load()
    with pytest.raises(FileNotFoundError, match=r"there is no file s3://.*/plates/P3.npy: copy all plates"):
        store.reader(["P1", "P3"], [0, 0])
    with pytest.raises(ValueError, match="is on a server, where no plates are written"):
        store.writer("P1", "digest", {})
    with pytest.raises(DatasetError, match="is on a server, where nothing is written"):
        dataset.save("plates")
    with pytest.raises(DatasetError, match="/data/plates is no address"):
        RemotePlatesDataset(filepath="/data/plates", folder=str(tmp_path))
    with pytest.raises(DatasetError, match="must be an absolute path, is data/copies"):
        RemotePlatesDataset(filepath="s3://bucket/plates", folder="data/copies")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 100))
    with pytest.raises(OSError, match=r"has room for 1e-07 GB, but .* GB are to be copied from s3://"):
        store.reader(["P2"], [0])


def test_a_server_that_refuses_access_is_named(dataset, server):
    bucket = dataset._filepath.split("/")[2]
    server.refused.add(bucket)
    with pytest.raises(RemoteError, match=rf"{bucket} refuses access"):
        dataset.load().reader(["P1"], [0])
    server.refused.clear()


def test_nodes_that_read_it_are_not_skipped(dataset):
    assert dataset.exists()
    assert dataset.is_store
    assert places(dataset) is None
    assert "secret" not in repr(dataset.load())
    assert not RemotePlatesDataset(
        filepath=f"{dataset._filepath}/nowhere", folder="/copies", credentials=dataset._credentials
    ).exists()

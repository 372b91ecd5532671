"""Exports and archives on a server give the same fields as on the disk."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("moto", reason="moto is not installed (extra dev)")
pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")

from cloome_kedro.datasets.folder import FolderDataset
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.index import PATHS, index_screen
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.remote import Remote, RemoteSettings, set_remote, use_remote
from cloome_kedro.imaging.store import PlateStore
from exported_screens import as_imagexpress, as_npz, as_zips, images_of
from s3_server import S3Server
from small_screens import make_source, write_load_data_screen

EXPORTS = [as_imagexpress, as_zips, lambda *given: as_npz(*given, lambda field: field.astype("u1"))]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A screen in several layouts: its folder, the same on a server, and the settings of its sources."""
    folder = tmp_path_factory.mktemp("screen")
    described = write_load_data_screen(folder, plates=1, wells=2, sites=1)
    sources = [described | export(folder, images_of(folder)) for export in EXPORTS]
    server = S3Server()
    server.upload(folder, "screens/screen")
    options = {"anon": True, "client_kwargs": {"endpoint_url": server.address}}
    yield folder, FolderDataset(filepath="s3://screens/screen", credentials=options).load(), sources
    server.stop()


@pytest.fixture(autouse=True)
def cache(exports, tmp_path):
    use_remote(RemoteSettings(cache=str(tmp_path / "cache"), attempts=2, threads=2))


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    yield
    set_remote(Remote())


@pytest.mark.parametrize("number", range(len(EXPORTS)), ids=["imagexpress", "zip_per_channel", "npz"])
def test_the_same_fields(exports, tmp_path, number):
    results = []
    for name, folder in zip(("disk", "server"), exports[:2], strict=True):
        store = PlateStore(tmp_path / name)
        store.folder.mkdir()
        index, _, rejected = index_screen(folder, "mine", [make_source(exports[2][number])])
        fields, rejected = ingest_plates(store, index, rejected, Storage(), n_jobs=1)
        assert rejected.empty
        results.append((index.drop(columns=PATHS), fields, np.load(store.images("P1"))))
    (index, fields, images), (same_index, same_fields, same_images) = results
    assert len(fields) == 2
    pd.testing.assert_frame_equal(index, same_index)
    pd.testing.assert_frame_equal(fields, same_fields)
    np.testing.assert_array_equal(images, same_images)

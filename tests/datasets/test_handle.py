"""Handles of folders, of the kinds that the catalog has."""

import re
from pathlib import Path

import pytest
from kedro.io import DatasetError
from kedro.utils import load_obj

from cloome_kedro.datasets.handle import HandleDataset
from cloome_kedro.tuning.store import StudyStore

CATALOG = (Path(__file__).parents[2] / "conf/base/catalog.yml").read_text()
HANDLES = sorted(set(re.findall(r"^  handle: (\S+)$", CATALOG, re.MULTILINE)))
PLATES, STUDY = "cloome_kedro.imaging.store.PlateStore", "cloome_kedro.tuning.store.StudyStore"


def test_the_catalog_has_handles_of_several_kinds():
    assert {PLATES, STUDY, "cloome_kedro.stores.TableStore"} <= set(HANDLES)


@pytest.mark.parametrize("handle", HANDLES)
def test_loading_makes_the_folder_and_gives_its_handle(handle, tmp_path):
    dataset = HandleDataset(filepath=str(tmp_path / "deep" / "folder"), handle=handle)
    assert not dataset.exists()
    loaded = dataset.load()
    assert isinstance(loaded, load_obj(handle))
    assert getattr(loaded, "folder", loaded) == tmp_path / "deep" / "folder"
    assert dataset.exists()
    assert dataset.load() == loaded


def test_the_handle_keeps_its_folder_wherever_the_process_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = HandleDataset(filepath="plates", handle=PLATES).load()
    monkeypatch.chdir("/")
    assert loaded.folder == tmp_path / "plates"


@pytest.mark.parametrize(
    ("credentials", "url"), [({"url": "postgresql://host/study"}, "postgresql://host/study"), ({}, None)]
)
def test_credentials_name_the_handles_database(tmp_path, credentials, url):
    dataset = HandleDataset(filepath=str(tmp_path), handle=STUDY, credentials=credentials)
    assert dataset.load() == StudyStore(tmp_path, url)
    assert HandleDataset(filepath=str(tmp_path), handle=STUDY).load() == StudyStore(tmp_path)


def test_a_password_is_not_described(tmp_path):
    url = "postgresql://me:secret@host/study"
    dataset = HandleDataset(filepath=str(tmp_path), handle=STUDY, credentials={"url": url})
    assert "secret" not in str(dataset._describe())


@pytest.mark.parametrize("handle", HANDLES)
def test_it_is_written_through_its_handle_only(handle, tmp_path):
    with pytest.raises(DatasetError, match="folder cannot be saved: nodes write into it through its handle"):
        HandleDataset(filepath=str(tmp_path / "folder"), handle=handle).save("plate")


def test_an_unknown_handle_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="NoStore"):
        HandleDataset(filepath=str(tmp_path), handle="cloome_kedro.stores.NoStore").load()

"""Folders as handles."""

import pandas as pd
import pytest

from cloome_kedro.datasets.folder import FolderDataset


def test_a_place_to_write_to_is_made(tmp_path):
    assert FolderDataset(filepath=str(tmp_path / "screen"), create=True).load().is_dir()


def test_a_missing_screen_is_named(tmp_path):
    with pytest.raises(Exception, match=r"nowhere is not a folder: put the screen there"):
        FolderDataset(filepath=str(tmp_path / "nowhere")).load()


def test_the_manifest_says_that_the_screen_is_whole(tmp_path):
    dataset = FolderDataset(filepath=str(tmp_path / "screen"))
    assert not dataset.exists()
    dataset.save(pd.DataFrame({"plate": ["p1"]}))
    assert dataset.exists()
    assert (dataset.load() / "manifest.csv").read_text() == "plate\np1\n"

"""Handles of folders."""

import pytest

from cloome_kedro.datasets.corruptions import CorruptionStoreDataset
from cloome_kedro.datasets.fit_state import FitStateDataset
from cloome_kedro.datasets.plates import PlateStoreDataset
from cloome_kedro.datasets.profiles import ProfileStoreDataset
from cloome_kedro.imaging.corruption_store import CorruptionStore
from cloome_kedro.imaging.profiles import ProfileStore
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.state import FitState

KINDS = [
    (PlateStoreDataset, PlateStore),
    (ProfileStoreDataset, ProfileStore),
    (FitStateDataset, FitState),
    (CorruptionStoreDataset, CorruptionStore),
]


@pytest.mark.parametrize(("kind", "handle"), KINDS)
def test_loading_makes_the_folder_and_gives_its_handle(kind, handle, tmp_path):
    dataset = kind(filepath=str(tmp_path / "deep" / "folder"))
    assert not dataset.exists()
    assert dataset.load() == handle(tmp_path / "deep" / "folder")
    assert dataset.exists()


@pytest.mark.parametrize(("kind", "_"), KINDS)
def test_it_is_written_through_its_handle_only(kind, _, tmp_path):
    with pytest.raises(Exception, match="folder is written through its handle"):
        kind(filepath=str(tmp_path / "folder")).save("plate")

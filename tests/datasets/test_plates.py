"""The plate store as a handle."""

import pytest

from cloome_kedro.datasets.plates import PlateStoreDataset
from cloome_kedro.imaging.store import PlateStore


def test_loading_makes_the_store(tmp_path):
    dataset = PlateStoreDataset(filepath=str(tmp_path / "plates"))
    assert not dataset.exists()
    assert isinstance(dataset.load(), PlateStore)
    assert dataset.exists()


def test_it_is_written_through_its_handle_only(tmp_path):
    with pytest.raises(Exception, match="written through its handle"):
        PlateStoreDataset(filepath=str(tmp_path / "plates")).save("plate")

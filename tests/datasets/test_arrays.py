"""Arrays as ``.npy``."""

import numpy as np
import pytest

from cloome_kedro.datasets.arrays import Array


def test_round_trip(tmp_path):
    dataset = Array(filepath=str(tmp_path / "deep" / "fingerprints.npy"))
    assert not dataset.exists()
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    dataset.save(values)
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded, values)
    assert loaded.dtype == np.uint8
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fingerprints.npy"]


def test_pickles_are_not_loaded(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(Exception, match="allow_pickle"):
        Array(filepath=str(tmp_path / "evil.npy")).load()

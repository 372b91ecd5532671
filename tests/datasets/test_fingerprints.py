"""Fingerprints as ``.npz``."""

import numpy as np
import pytest
from kedro.io import DatasetError

from cloome_kedro.datasets.fingerprints import FingerprintsDataset, StructureFeaturesDataset
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.learning.views.structures import StructureFeatures

FINGERPRINTS = Fingerprints(np.arange(6, dtype=np.uint8).reshape(2, 3), {"radius": 3, "bits": 24, "chirality": True})


def dataset(folder):
    return FingerprintsDataset(filepath=str(folder / "deep" / "fingerprints.npz"))


def test_round_trip(tmp_path):
    saved = dataset(tmp_path)
    assert not saved.exists()
    saved.save(FINGERPRINTS)
    assert saved.exists()
    loaded = saved.load()
    np.testing.assert_array_equal(loaded.packed, FINGERPRINTS.packed)
    assert loaded.packed.dtype == np.uint8
    assert loaded.settings == FINGERPRINTS.settings
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fingerprints.npz"]


def test_pickles_are_not_loaded(tmp_path):
    saved = dataset(tmp_path)
    saved.save(FINGERPRINTS)
    evil = np.array([object()], dtype=object)
    np.savez(tmp_path / "deep" / "fingerprints.npz", packed=evil, settings=np.array("{}"))
    with pytest.raises(DatasetError, match="allow_pickle"):
        saved.load()


@pytest.mark.parametrize(
    "kind", ["without settings", "settings are not JSON", "cut", "empty", "text", "an array alone"]
)
def test_a_damaged_file_is_named(tmp_path, kind):
    saved, path = dataset(tmp_path), tmp_path / "deep" / "fingerprints.npz"
    saved.save(FINGERPRINTS)
    if kind == "without settings":
        np.savez(path, packed=FINGERPRINTS.packed)
    elif kind == "settings are not JSON":
        np.savez(path, packed=FINGERPRINTS.packed, settings=np.array("{radius"))
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("inchikey,bits\n")
    else:
        with path.open("wb") as file:
            np.save(file, FINGERPRINTS.packed)
    with pytest.raises(
        DatasetError, match=r"fingerprints.npz does not hold fingerprints .* run the pipeline featurization"
    ):
        saved.load()


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    saved = dataset(tmp_path)
    saved.save(FINGERPRINTS)

    def write_half(path, **arrays):
        path.write_bytes(b"PK half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(DatasetError, match="no space left"):
        saved.save(FINGERPRINTS)
    np.testing.assert_array_equal(saved.load().packed, FINGERPRINTS.packed)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fingerprints.npz"]


def test_sets_of_structural_features_survive(tmp_path):
    sets = {"counts": {"kind": "morgan", "counts": True, "size": 3}, "d": {"kind": "descriptors", "size": 2}}
    values = {"counts": np.arange(6, dtype=np.uint16).reshape(2, 3), "d": np.array([[1, np.nan], [2, 3]], np.float32)}
    saved = StructureFeaturesDataset(filepath=str(tmp_path / "structure_features.npz"))
    for features in (StructureFeatures(sets, values), StructureFeatures({}, {})):
        saved.save(features)
        loaded = saved.load()
        assert loaded.sets == features.sets
        assert {name: array.dtype for name, array in loaded.values.items()} == {
            name: array.dtype for name, array in features.values.items()
        }
        for name in features.values:
            np.testing.assert_array_equal(loaded.values[name], features.values[name])
    np.savez(tmp_path / "structure_features.npz", settings=np.array('{"counts": {"size": 3}}'))
    with pytest.raises(
        DatasetError, match=r"structure_features.npz does not hold structural features .* featurization"
    ):
        saved.load()

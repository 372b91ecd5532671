"""Embeddings and methods keep rows and keys together."""

import numpy as np
import pytest
from kedro.io import DatasetError

from cloome_kedro.datasets.embeddings import EmbeddingsDataset, MethodsDataset
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.words import PROBING, RETRIEVAL

EMBEDDINGS = Embeddings(np.array(["b", "a", "c"], object), np.eye(3, dtype=np.float32), {"split_hash": "0123"})
OTHERS = Embeddings(np.array(["z"], object), np.full((1, 3), 0.5, np.float32), {"epoch": None, "weights": "untrained"})


def assert_same(found, expected):
    assert list(found.keys) == list(expected.keys)
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    assert found.vectors.dtype == expected.vectors.dtype
    assert found.meta == expected.meta


def test_round_trip(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    assert not dataset.exists()
    dataset.save(EMBEDDINGS)
    dataset.save(EMBEDDINGS)
    assert dataset.exists()
    assert_same(dataset.load(), EMBEDDINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["field_embeddings"]


def test_a_damaged_folder_is_named(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    dataset.save(EMBEDDINGS)
    np.save(tmp_path / "field_embeddings" / "vectors.npy", np.eye(2, dtype=np.float32))
    with pytest.raises(DatasetError, match="field_embeddings has 3 keys but 2 vectors"):
        dataset.load()


def test_pickles_are_not_loaded(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    dataset.save(EMBEDDINGS)
    np.save(tmp_path / "field_embeddings" / "vectors.npy", np.array([object()] * 3), allow_pickle=True)
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.load()


METHODS = {
    "CLOOME": Method(EMBEDDINGS, OTHERS, tasks=(RETRIEVAL, PROBING)),
    "Plate only": Method(OTHERS, ties="random"),
    "a/b → µ": Method(EMBEDDINGS, EMBEDDINGS, tasks=(), normalised=False),
}


def test_methods_come_back_in_their_order(tmp_path):
    """Names may have any characters."""
    dataset = MethodsDataset(filepath=str(tmp_path / "methods"))
    assert not dataset.exists()
    dataset.save(METHODS)
    assert dataset.exists()
    loaded = dataset.load()
    assert list(loaded) == list(METHODS)
    for name, method in METHODS.items():
        found = loaded[name]
        assert (found.tasks, found.ties, found.normalised) == (method.tasks, method.ties, method.normalised)
        assert_same(found.fields, method.fields)
        assert (found.compounds is None) == (method.compounds is None)
        if method.compounds is not None:
            assert_same(found.compounds, method.compounds)


def test_methods_of_before_are_gone(tmp_path):
    dataset = MethodsDataset(filepath=str(tmp_path / "methods"))
    dataset.save(METHODS)
    dataset.save({"Plate only": METHODS["Plate only"]})
    assert list(dataset.load()) == ["Plate only"]
    assert sorted(path.name for path in (tmp_path / "methods").iterdir()) == ["0", "methods.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["methods"]


def test_a_failed_save_keeps_the_old_methods(tmp_path, monkeypatch):
    dataset = MethodsDataset(filepath=str(tmp_path / "methods"))
    dataset.save(METHODS)

    def fail(*arguments, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(DatasetError, match="no space left"):
        dataset.save({"Plate only": METHODS["Plate only"]})
    assert list(dataset.load()) == list(METHODS)
    assert [path.name for path in tmp_path.iterdir()] == ["methods"]


def test_methods_of_which_a_folder_is_damaged_are_refused(tmp_path):
    dataset = MethodsDataset(filepath=str(tmp_path / "methods"))
    dataset.save(METHODS)
    np.save(tmp_path / "methods" / "2" / "compounds" / "vectors.npy", np.eye(2, dtype=np.float32))
    with pytest.raises(DatasetError, match="2/compounds has 3 keys but 2 vectors"):
        dataset.load()

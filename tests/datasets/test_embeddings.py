"""Embeddings and methods keep rows and keys together."""

import numpy as np
import pandas as pd
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
    with pytest.raises(
        DatasetError, match=r"field_embeddings cannot be read .*3 keys do not fit vectors of shape \(2, 2\)"
    ):
        dataset.load()


def test_pickles_are_not_loaded(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    dataset.save(EMBEDDINGS)
    np.save(tmp_path / "field_embeddings" / "vectors.npy", np.array([object()] * 3), allow_pickle=True)
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.load()


WEIGHTED = Embeddings(EMBEDDINGS.keys, EMBEDDINGS.vectors, {"pooling": "attention"}, np.array([1, 0, -2], np.float32))


def test_logits_come_back(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    methods = MethodsDataset(filepath=str(tmp_path / "methods"))
    dataset.save(WEIGHTED)
    methods.save({"CLOOME": Method(WEIGHTED, OTHERS)})
    for loaded in (dataset.load(), methods.load()["CLOOME"].fields):
        assert_same(loaded, WEIGHTED)
        np.testing.assert_array_equal(loaded.logits, WEIGHTED.logits)
        assert loaded.logits.dtype == np.float32
    dataset.save(EMBEDDINGS)
    assert dataset.load().logits is None
    assert {path.name for path in (tmp_path / "field_embeddings").iterdir()} == {
        "vectors.npy",
        "keys.parquet",
        "meta.json",
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: np.save(file, np.zeros(2, np.float32)),
        lambda file: np.save(file, np.array([0, np.nan, 1])),
        lambda file: np.save(file, np.zeros(3, int)),
    ],
    ids=["missing", "empty", "a logit less", "NaN", "integers"],
)
def test_damaged_logits_are_refused(tmp_path, damage):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    dataset.save(WEIGHTED)
    damage(tmp_path / "field_embeddings" / "logits.npy")
    with pytest.raises(DatasetError, match=r"field_embeddings cannot be read .*: run the pipeline that writes it"):
        dataset.load()


def array(vectors):
    return lambda folder: np.save(folder / "vectors.npy", vectors)


def content(name, data):
    return lambda folder: (folder / name).write_bytes(data)


DAMAGES = {
    **{f"zero bytes in {name}": content(name, b"") for name in ("vectors.npy", "keys.parquet", "meta.json")},
    **{f"text in {name}": content(name, b"{a") for name in ("vectors.npy", "keys.parquet", "meta.json")},
    "header only": lambda folder: content("vectors.npy", (folder / "vectors.npy").read_bytes()[:128])(folder),
    "truncated": lambda folder: content("vectors.npy", (folder / "vectors.npy").read_bytes()[:-1])(folder),
    "NaN": array(np.array([[1, 0, 0], [0, np.nan, 0], [0, 0, 1]], np.float32)),
    "infinite": array(np.array([[1, 0, 0], [0, -np.inf, 0], [0, 0, 1]], np.float32)),
    "integers": array(np.eye(3, dtype=np.int64)),
    "complex": array(np.eye(3, dtype=np.complex64)),
    "one dimension": array(np.ones(3, np.float32)),
    "a vector less": array(np.eye(3, dtype=np.float32)[:2]),
    "keys twice": lambda folder: pd.DataFrame({"key": ["a", "b", "a"]}).to_parquet(folder / "keys.parquet"),
    "no keys": lambda folder: pd.DataFrame({"name": ["a", "b", "c"]}).to_parquet(folder / "keys.parquet"),
    "a file less": lambda folder: (folder / "vectors.npy").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_embeddings_are_refused_with_the_folder(tmp_path, damage):
    embeddings = EmbeddingsDataset(filepath=str(tmp_path / "field_embeddings"))
    embeddings.save(EMBEDDINGS)
    DAMAGES[damage](tmp_path / "field_embeddings")
    with pytest.raises(
        DatasetError, match=r"field_embeddings cannot be read .*: run the pipeline that writes it again"
    ):
        embeddings.load()
    methods = MethodsDataset(filepath=str(tmp_path / "methods"))
    methods.save({"CLOOME": Method(EMBEDDINGS)})
    DAMAGES[damage](tmp_path / "methods" / "0" / "fields")
    with pytest.raises(DatasetError, match=r"methods/0/fields cannot be read .*: run the pipeline that writes it"):
        methods.load()


@pytest.mark.parametrize("data", [b"", b"[", b'[{"name": "CLOOME"}]', b"[1]"])
def test_a_damaged_list_of_methods_is_refused_with_the_folder(tmp_path, data):
    methods = MethodsDataset(filepath=str(tmp_path / "methods"))
    methods.save({"CLOOME": Method(EMBEDDINGS)})
    (tmp_path / "methods" / "methods.json").write_bytes(data)
    with pytest.raises(DatasetError, match=r"methods cannot be read .*: run the pipeline that writes it again"):
        methods.load()


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
    with pytest.raises(DatasetError, match=r"2/compounds cannot be read .*3 keys do not fit vectors of shape \(2, 2\)"):
        dataset.load()

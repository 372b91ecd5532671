"""Embeddings keep rows and keys together."""

import numpy as np
import pytest

from cloome_kedro.datasets.embeddings import Embeddings, EmbeddingsDataset, check_split
from cloome_kedro.learning.published import UNKNOWN_SPLIT

EMBEDDINGS = Embeddings(np.array(["b", "a", "c"], object), np.eye(3, dtype=np.float32), {"split_hash": "0123"})


def test_round_trip(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "image_embeddings"))
    assert not dataset.exists()
    dataset.save(EMBEDDINGS)
    dataset.save(EMBEDDINGS)
    loaded = dataset.load()
    assert list(loaded.keys) == ["b", "a", "c"]
    np.testing.assert_array_equal(loaded.vectors, EMBEDDINGS.vectors)
    assert loaded.vectors.dtype == np.float32
    assert loaded.meta == {"split_hash": "0123"}
    assert [path.name for path in tmp_path.iterdir()] == ["image_embeddings"]


def test_rows_are_found_by_key():
    np.testing.assert_array_equal(EMBEDDINGS.of(np.array(["a", "b"])), [[0, 1, 0], [1, 0, 0]])
    with pytest.raises(KeyError, match="1 keys have no embedding, the first is z"):
        EMBEDDINGS.of(np.array(["a", "z"]))


@pytest.mark.parametrize(("keys", "match"), [(["a", "b"], "2 keys do not fit"), (["a", "a", "b"], "not unique")])
def test_keys_that_do_not_fit_are_refused(keys, match):
    with pytest.raises(ValueError, match=match):
        Embeddings(np.array(keys), np.eye(3, dtype=np.float32))


def test_a_damaged_folder_is_named(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "image_embeddings"))
    dataset.save(EMBEDDINGS)
    np.save(tmp_path / "image_embeddings" / "vectors.npy", np.eye(2, dtype=np.float32))
    with pytest.raises(Exception, match="3 keys but 2 vectors"):
        dataset.load()


def test_embeddings_of_other_folds_are_refused_and_those_of_unknown_ones_warned_of(caplog):
    of_folds = Embeddings(np.array(["a"]), np.ones((1, 2), np.float32), {"split_hash": "0123"})
    check_split(of_folds, "image_embeddings", "0123", "random", "test")
    assert not caplog.records
    with pytest.raises(ValueError, match=r"random\.image_embeddings are of folds 0123, not of random\.folds 4567"):
        check_split(of_folds, "image_embeddings", "4567", "random", "test")
    published = Embeddings(of_folds.keys, of_folds.vectors, {"split_hash": UNKNOWN_SPLIT})
    check_split(published, "image_embeddings", "4567", "random", "validation")
    assert "random.image_embeddings ARE OF A PUBLISHED MODEL" in caplog.text
    assert "validation fold" in caplog.text

import dataclasses

import numpy as np
import pandas as pd
import pytest

import damaged_files
from cloome_kedro.imaging.corruption_store import CorruptionStore, corruption_digest
from cloome_kedro.imaging.corruptions import find_corruptions

TABLE = pd.DataFrame({"field_id": ["a", "b"], "settings": ["{}", '{"angle": 1.5}'], "black": [0.0, 0.25]})
VECTORS = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def test_what_is_written_is_read(tmp_path):
    store = CorruptionStore(tmp_path)
    assert store.digest("random_flip") is None
    store.write("random_flip", TABLE, VECTORS, "d")
    assert store.digest("random_flip") == "d"
    table, vectors = store.read("random_flip")
    pd.testing.assert_frame_equal(table, TABLE)
    np.testing.assert_array_equal(vectors, VECTORS)
    assert vectors.dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["random_flip.parquet"]


def test_logits_are_read_beside_the_table(tmp_path):
    store, logits = CorruptionStore(tmp_path), np.array([0.5, -2.0], np.float32)
    store.write("random_flip", TABLE, VECTORS, "d")
    assert store.logits("random_flip") is None
    store.write("random_flip", TABLE, VECTORS, "d", logits)
    np.testing.assert_array_equal(store.logits("random_flip"), logits)
    table, vectors = store.read("random_flip")
    pd.testing.assert_frame_equal(table, TABLE)
    np.testing.assert_array_equal(vectors, VECTORS)


def test_a_damaged_file_counts_for_nothing(tmp_path):
    store = CorruptionStore(tmp_path)
    store.write("random_flip", TABLE, VECTORS, "d")
    whole = store.path("random_flip").read_bytes()
    store.path("random_flip").write_bytes(whole[:-9])
    assert store.digest("random_flip") is None


@pytest.mark.parametrize("damage", damaged_files.TABLES)
def test_a_damaged_file_is_not_current(tmp_path, damage):
    store = CorruptionStore(tmp_path)
    store.write("random_flip", TABLE, VECTORS, "d")
    assert store.is_current("random_flip", "d")
    assert not store.is_current("random_flip", "e")
    damaged_files.TABLES[damage](store.path("random_flip"))
    assert not store.is_current("random_flip", "d")


def test_the_digest_tells_all_that_embeddings_depend_on():
    flip, blur = find_corruptions(["random_flip", "gaussian_blur"])
    first = corruption_digest(flip, TABLE, weights="w")
    assert corruption_digest(flip, TABLE.copy(), weights="w") == first
    others = [
        corruption_digest(blur, TABLE, weights="w"),
        corruption_digest(dataclasses.replace(flip, change=blur.change), TABLE, weights="w"),
        corruption_digest(flip, TABLE[::-1], weights="w"),
        corruption_digest(flip, TABLE.assign(settings="{}"), weights="w"),
        corruption_digest(flip, TABLE, weights="v"),
    ]
    assert len({first, *others}) == 6


def test_code_typed_in_at_a_prompt_has_a_digest():
    (flip,) = find_corruptions(["random_flip"])
    typed = {}
    exec("def change(image): return image\ndef other(image): return -image", typed)
    digests = [corruption_digest(dataclasses.replace(flip, change=typed[n]), TABLE) for n in ("change", "other")]
    assert digests[0] != digests[1]

"""Building an index: additions equal a new build, and interrupted builds continue."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.index import Index
from cloome_kedro.index import build as building
from cloome_kedro.index.build import update
from invented_index import random_content, small_content


def everything(folder):
    """All rows, vectors and thumbnails of an index."""
    index = Index.open(folder)
    found = {}
    for kind, key in (("fields", "field_id"), ("wells", "well_id"), ("compounds", "inchikey")):
        rows = index.rows(kind)
        found[kind] = rows, index.vectors(kind, rows[key])
    thumbnails = index.thumbnails(found["fields"][0]["field_id"]) if index.info["thumbnail"] else None
    return found, thumbnails


def assert_equal(first, second):
    for kind, (rows, vectors) in everything(first)[0].items():
        other_rows, other_vectors = everything(second)[0][kind]
        pd.testing.assert_frame_equal(rows, other_rows)
        np.testing.assert_allclose(vectors, other_vectors, atol=1e-5)
    images, others = everything(first)[1], everything(second)[1]
    if images is not None:
        np.testing.assert_array_equal(images, others)


def test_added_plates_equal_a_new_build(tmp_path):
    update(tmp_path / "grown", small_content(plates=2))
    changes = update(tmp_path / "grown", small_content(plates=3))
    update(tmp_path / "new", small_content(plates=3))
    assert changes["fields"] == {"kept": 18, "added": 9, "replaced": 0, "removed": 0}
    # every compound has one more field, which is part of its row
    assert changes["compounds"] == {"kept": 0, "added": 0, "replaced": 8, "removed": 0}
    assert_equal(tmp_path / "grown", tmp_path / "new")
    assert Index.open(tmp_path / "grown").info["counts"] == {"fields": 27, "wells": 27, "compounds": 8}


def test_only_what_is_new_reads_images(tmp_path):
    read = []

    def spy(keys):
        read.extend(keys)
        return small_content().read_thumbnails(keys)

    update(tmp_path, small_content(plates=1))
    update(tmp_path, small_content(plates=2, read_thumbnails=spy))
    assert {key.split("/")[1] for key in read[:-1]} == {"P1"}
    assert len(read) == 9 + 1  # one more is read for the size of thumbnails


def test_the_same_content_changes_nothing(tmp_path):
    update(tmp_path, small_content())
    changes = update(tmp_path, small_content())
    assert all(change["kept"] and not change["added"] + change["replaced"] for change in changes.values())


def test_changed_and_missing_rows_are_replaced_and_removed(tmp_path):
    update(tmp_path / "grown", small_content(plates=2))
    content = small_content(plates=1)
    content.compounds.loc[2, "moa"] = "changed's"
    changes = update(tmp_path / "grown", content)
    update(tmp_path / "new", content)
    assert changes["fields"] == {"kept": 9, "added": 0, "replaced": 0, "removed": 9}
    assert_equal(tmp_path / "grown", tmp_path / "new")


def test_a_well_with_a_new_site_gets_its_new_mean(tmp_path):
    whole = random_content(16, 4)
    kept = np.arange(16) != 3  # the first well lacks a field
    part = random_content(16, 4, fields=whole.fields[kept], field_vectors=whole.field_vectors[kept])
    update(tmp_path / "grown", part)
    changes = update(tmp_path / "grown", whole)
    update(tmp_path / "new", whole)
    assert changes["wells"] == {"kept": 3, "added": 0, "replaced": 1, "removed": 0}
    assert_equal(tmp_path / "grown", tmp_path / "new")


def test_other_weights_give_a_new_index(tmp_path, caplog):
    update(tmp_path, random_content(16, 4))
    other = random_content(16, 4, seed=1)
    other.info["weights"] = "other"
    with caplog.at_level(logging.WARNING):
        changes = update(tmp_path, other)
    assert "built anew, because these facts changed: weights" in caplog.text
    assert changes["fields"] == {"kept": 0, "added": 16, "replaced": 0, "removed": 0}
    with pytest.raises(ValueError, match="holds embeddings of the model other, not of w"):
        Index.open(tmp_path).add(random_content(16, 4))


def test_rows_are_added_to_an_open_index(tmp_path):
    update(tmp_path, random_content(16, 4))
    index = Index.open(tmp_path)
    assert index.add(random_content(24, 6))["compounds"]["added"] == 2
    assert index.info["counts"]["fields"] == len(index.rows("fields")) == 24


def test_an_interrupted_build_continues(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_ROWS", 4)
    content, calls = small_content(), []

    def fail_later(keys):
        calls.append(len(keys))
        if len(calls) > 2:
            raise KeyboardInterrupt
        return content.read_thumbnails(keys)

    with pytest.raises(KeyboardInterrupt):
        update(tmp_path / "stopped", small_content(read_thumbnails=fail_later))
    with pytest.raises(ValueError, match="build was interrupted"):
        Index.open(tmp_path / "stopped")
    update(tmp_path / "stopped", content)
    update(tmp_path / "new", content)
    assert_equal(tmp_path / "stopped", tmp_path / "new")


def test_hostile_keys_are_data(tmp_path):
    content = random_content(8, 2)
    names = [f"s/P'{i}; --/W0\"/1" for i in range(8)]
    content.fields["field_id"] = names
    update(tmp_path, content)
    index = Index.open(tmp_path)
    np.testing.assert_array_equal(index.vectors("fields", names), content.field_vectors)
    content.fields["moa"] = "x'"
    assert update(tmp_path, content)["fields"]["replaced"] == 8


def test_the_folder_is_self_contained(tmp_path):
    update(tmp_path, small_content())
    info = json.loads((tmp_path / "index.json").read_text())
    assert info["complete"]
    assert info["thumbnail"] == [32, 32]
    assert info["metric"] == "cosine"
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.json", "model", "lance", "plate_statistics.parquet", "ranks.parquet"),
        *("candidate_sets.parquet", "familiarity.parquet", "fingerprints.parquet"),
    }
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]

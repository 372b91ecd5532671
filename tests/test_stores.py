"""Tables that know what they were made from."""

import hashlib
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import damaged_files
from cloome_kedro.stores import DamagedFile, TableStore, digest_of, read_digest, read_notes, read_table, write_table

TABLE = pd.DataFrame({"field_id": ["a", "b"], "value": np.array([1.5, 2.5], np.float32), "site": [1, 2]})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


def canonical(content):
    return json.dumps(content, sort_keys=True)


def test_the_digest_is_sha_256_of_json():
    assert digest_of() == hashlib.sha256(b"[]").hexdigest()
    assert digest_of(1, "a", [None, True]) == hashlib.sha256(b'[1, "a", [null, true]]').hexdigest()


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of((1, 2)) == digest_of([1, 2])


@settings(max_examples=50)
@given(JSON, JSON)
def test_other_content_has_another_digest(content, other):
    assert (digest_of(content) == digest_of(other)) == (canonical(content) == canonical(other))


def test_what_is_not_json_is_refused():
    with pytest.raises(TypeError, match="not JSON serializable"):
        digest_of(np.float32(1))


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_a_table_carries_its_digest_and_notes(tmp_path, kind):
    path = tmp_path / "table.parquet"
    table = TABLE if kind == "pandas" else pa.Table.from_pandas(TABLE, preserve_index=False)
    notes = {"size": [64, 32], "scope": "plate", "crop": None}
    write_table(path, table, "made from", notes)
    assert read_digest(path) == "made from"
    assert read_notes(path) == notes
    pd.testing.assert_frame_equal(pd.read_parquet(path), TABLE)


def test_a_table_may_have_no_notes(tmp_path):
    write_table(tmp_path / "table.parquet", TABLE, "made from")
    assert read_notes(tmp_path / "table.parquet") == {}


@pytest.mark.parametrize("kind", ["missing", "cut", "empty", "text", "of another writer"])
def test_a_file_that_does_not_say_so_has_no_digest_and_no_notes(tmp_path, kind):
    path = tmp_path / "table.parquet"
    write_table(path, TABLE, "made from", {"a": 1})
    if kind == "missing":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("field_id,value\na,1.5\n")
    else:
        TABLE.to_parquet(path)
    assert read_digest(path) is None
    assert read_notes(path) == {}


def test_what_a_store_holds_is_read_back(tmp_path):
    store = TableStore(tmp_path / "deep")
    store.write("P1", TABLE, "first")
    store.write("P.2", TABLE[::-1], "second")
    assert store.path("P1") == tmp_path / "deep" / "P1.parquet"
    assert (store.digest("P1"), store.digest("P.2"), store.digest("P3")) == ("first", "second", None)
    assert store.columns("P1") == ["field_id", "value", "site"]
    pd.testing.assert_frame_equal(store.read("P1"), TABLE)
    pd.testing.assert_frame_equal(store.read("P1", ["site", "field_id"]), TABLE[["site", "field_id"]])
    pd.testing.assert_frame_equal(store.read("P.2"), TABLE[::-1].reset_index(drop=True))
    assert sorted(path.name for path in store.folder.iterdir()) == ["P.2.parquet", "P1.parquet"]


def test_a_table_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    store = TableStore(tmp_path)
    store.write("P1", TABLE, "first")

    def write_half(table, path, **options):
        path.write_bytes(b"PAR1 half")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", write_half)
        with pytest.raises(OSError, match="no space left"):
            store.write("P1", TABLE[:1], "second")
    assert store.digest("P1") == "first"
    assert len(store.read("P1")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["P1.parquet"]


def test_a_damaged_table_counts_for_nothing(tmp_path):
    store = TableStore(tmp_path)
    store.write("P1", TABLE, "first")
    store.path("P1").write_bytes(store.path("P1").read_bytes()[:-9])
    assert store.digest("P1") is None
    store.write("P1", TABLE, "second")
    assert store.digest("P1") == "second"


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_table(tmp_path / name, TABLE, "made from", {"a": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("damage", damaged_files.TABLES)
def test_a_damaged_table_is_not_current_and_its_path_is_named(tmp_path, damage):
    store = TableStore(tmp_path)
    store.write("P1", TABLE, "first")
    assert store.is_current("P1", "first")
    assert not store.is_current("P1", "second")
    damaged_files.TABLES[damage](store.path("P1"))
    assert not store.is_current("P1", "first")
    with pytest.raises(DamagedFile, match=r"P1\.parquet is damaged \(.+\): delete it, and run the pipeline"):
        read_table(store.path("P1"), ["field_id"])
    store.write("P1", TABLE, "first")
    assert store.is_current("P1", "first")


def test_any_changed_byte_of_the_values_is_noticed(tmp_path):
    store = TableStore(tmp_path)
    store.write("P1", TABLE, "first")
    path, noticed = store.path("P1"), 0
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        read_notes(path)  # never raises
        if store.is_current("P1", "first"):
            assert position >= footer or store.read("P1").equals(TABLE)
        elif position < footer:
            noticed += 1
    assert noticed > footer / 2, "the rest are lengths and statistics that reading does not need"


def test_a_missing_table_is_no_damaged_one(tmp_path):
    assert not TableStore(tmp_path).is_current("P1", "first")
    with pytest.raises(FileNotFoundError, match=r"P1\.parquet"):
        TableStore(tmp_path).read("P1")

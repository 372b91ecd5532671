import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError

from cloome_kedro import schemas
from cloome_kedro.chemistry.label_config import LabelColumns
from cloome_kedro.chemistry.label_tables import read_labels
from cloome_kedro.chemistry.labels import describe_joins, labels_of_screen
from cloome_kedro.imaging.columns import find_column
from made_up_compounds import made_up_key

A, B, C = (made_up_key(number) for number in range(3))
KEYS = pd.DataFrame({"compound_id": ["a1", "a2", "b1", "c1"], "inchikey": [A, A, B, C]})


def join(table, inchikeys, keys=KEYS, **options):
    given = read_labels(pd.DataFrame(table), LabelColumns(), find_column)
    found = labels_of_screen(given, inchikeys, keys, **options)
    schemas.label_joins.validate(found.joins)
    schemas.labels.validate(found.labels)
    return found


def counts(found):
    """key -> compounds, labels, contradictions; without keys that joined nothing."""
    table = found.joins.set_index("key")
    return {key: tuple(row) for key, row in zip(table.index, table.to_numpy(), strict=True) if row.any()}


def test_several_ids_of_a_compound_add_up_unless_they_disagree():
    table = {
        "compound_id": ["a1", "a2", "b1", "x9"],
        "one": [1, 0, 1, 1],
        "two": [np.nan, 1, 0, 1],
        "three": [0, 0, None, 1],
    }
    found = join(table, [A, B, C])
    expected = pd.DataFrame({"inchikey": [A, B], "one": [np.nan, 1], "two": [1.0, 0], "three": [0.0, np.nan]})
    pd.testing.assert_frame_equal(found.labels, expected)
    assert counts(found) == {"id": (2, 4, 1), "none": (1, 3, 0)}


def test_labels_by_inchikey_need_no_ids():
    found = join({"inchikey": [A, B, made_up_key(9)], "one": [1.0, np.nan, 0.0]}, [A, B, C], KEYS.iloc[:0])
    assert found.labels.to_dict("list") == {"inchikey": [A], "one": [1.0]}
    assert counts(found) == {"inchikey": (1, 1, 0), "none": (1, 1, 0)}


def test_the_best_key_of_an_entry_joins_it():
    """By InChIKey, then by its first block, then by id, then by name; malformed keys do not stop the others."""
    d, e, other = made_up_key(3), made_up_key(4), made_up_key(1, stereo=1)
    keys = pd.DataFrame({"compound_id": ["a1", "b1", "c1", "d1", "e1"], "inchikey": [A, B, C, d, e]})
    table = {
        "inchikey": [A, other, "no key", None, None, made_up_key(8)],
        "compound_id": ["b1", "c1", "c1", "ASPIRIN ", "e1", "z9"],
        "x": [1, 0, 1, 0, 1, 1],
    }
    names = pd.Series({d: "Aspirin", e: "shared", C: "shared"})
    found = join(table, [A, B, C, d, e], keys, names=names)
    assert found.labels.set_index("inchikey")["x"].to_dict() == {A: 1, B: 0, C: 1, d: 0, e: 1}
    assert counts(found) == {"inchikey": (1, 1, 0), "first block": (1, 1, 0), "id": (3, 3, 0), "none": (1, 1, 0)}


def test_a_name_of_several_compounds_joins_nothing():
    names = pd.Series({A: "shared", B: "Shared", C: "own"})
    found = join({"compound": ["shared", "own"], "x": [1, 0]}, [A, B, C], names=names)
    assert found.labels.to_dict("list") == {"inchikey": [C], "x": [0.0]}
    assert counts(found) == {"id": (1, 1, 0), "none": (1, 1, 0)}


def test_labels_by_a_better_key_take_precedence():
    """A cut key is of all stereoisomers; the label of one of them counts more."""
    keys = [A, made_up_key(0, stereo=1)]
    table = {"inchikey": [A[:14], keys[1]], "one": [1.0, 0.0], "two": [1.0, np.nan]}
    found = join(table, keys)
    assert found.labels.set_index("inchikey").to_dict("index") == {
        A: {"one": 1.0, "two": 1.0},
        keys[1]: {"one": 0.0, "two": 1.0},
    }
    assert counts(found) == {"inchikey": (1, 1, 0), "first block": (1, 3, 0)}


def test_a_whole_key_of_the_screen_is_not_joined_by_its_block():
    keys = [A, made_up_key(0, stereo=1)]
    found = join({"inchikey": [A], "one": [1.0]}, keys)
    assert found.labels["inchikey"].tolist() == [A]


@pytest.mark.parametrize(
    ("repeats", "expected"), [("drop", {A: np.nan, B: np.nan, C: 1}), ("majority", {A: 1, B: np.nan, C: 1})]
)
def test_repeats_that_contradict_each_other(repeats, expected):
    table = {
        "inchikey": [A, A, A, B, B, C, C],
        "assay": "x",
        "value": ["1", "0", "1", "1", "0", "1", "1"],
    }
    found = join(table, [A, B, C], repeats=repeats)
    labels = found.labels.set_index("inchikey")["x"].reindex([A, B, C])
    pd.testing.assert_series_equal(labels, pd.Series(expected, name="x").rename_axis("inchikey"))
    assert found.joins["contradictions"].tolist() == [2, 0, 0, 0]
    assert found.joins["labels"].sum() == labels.notna().sum()


def test_compounds_without_a_field_and_ids_without_a_structure_are_left_out():
    found = join({"compound_id": ["a1", "b1", "unread"], "one": [1.0, 0.0, 1.0]}, [A, None])
    assert found.labels.to_dict("list") == {"inchikey": [A], "one": [1.0]}
    assert counts(found) == {"id": (1, 1, 0), "none": (2, 2, 0)}


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(columns=["compound_id"]),
        pd.DataFrame(columns=["compound_id", "one"]),
        pd.DataFrame(columns=["inchikey", "one"]),
        pd.DataFrame({"compound_id": ["x9"], "one": [1.0]}),
        pd.DataFrame({"compound_id": ["a1"], "one": [np.nan]}),
        pd.DataFrame({"compound_id": ["a1"]}),
    ],
    ids=["no columns", "no rows", "no rows by key", "other compounds", "nothing measured", "no assays"],
)
def test_a_screen_without_labels_has_a_table_without_rows(table):
    found = join(table, [A])
    assert found.labels.empty
    assert found.joins["contradictions"].sum() == 0


@pytest.mark.parametrize(
    ("length", "expected", "key"), [(27, 1, "inchikey"), (25, 1, "inchikey"), (14, 2, "first block")]
)
def test_cut_keys_are_those_of_all_compounds_that_begin_with_them(length, expected, key):
    keys = [A, made_up_key(0, stereo=1), B]
    table = pd.DataFrame({"inchikey": [A[:length], made_up_key(2)[:length]], "one": [1.0, 0.0]})
    found = join(schemas.assay_labels.validate(table), keys)
    assert found.labels["inchikey"].tolist() == keys[:expected]
    assert counts(found) == {key: (expected, expected, 0), "none": (1, 1, 0)}


@pytest.mark.parametrize("key", ["A" * 13, "A" * 14 + "-", "A" * 14 + "-" + "B" * 9, "a" * 14, "A" * 15])
def test_other_lengths_are_no_keys(key):
    with pytest.raises(SchemaError, match="inchikey"):
        schemas.assay_labels.validate(pd.DataFrame({"inchikey": [key], "one": [1.0]}))


def test_the_log_says_what_was_joined_and_lost():
    table = {"inchikey": [A, A, "bad", B], "x": ["1", "0", "1", "inconclusive"], "y": ["1", "1", "1", "0"]}
    given = read_labels(pd.DataFrame(table), LabelColumns(), find_column)
    found = labels_of_screen(given, [A, B], KEYS)
    lines = list(describe_joins(given, found.labels, found.joins))
    assert lines[0] == (
        "assay labels: 2 compounds with 2 labels (1 active) in 2 assays, joined by InChIKey (2 compounds, 2 labels); "
        "1 compound of the table with 2 labels are not in the screen",
        False,
    )
    assert [text.partition(" ")[0] for text, is_problem in lines[1:] if is_problem] == ["1", "1", "1"]
    assert "contradict" in lines[1][0]

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError

from cloome_kedro import schemas
from cloome_kedro.chemistry.labels import labels_of_screen
from made_up_compounds import made_up_key

KEYS = pd.DataFrame({"compound_id": ["a1", "a2", "b1", "c1"], "inchikey": ["A", "A", "B", "C"]})


def test_several_ids_of_a_compound_add_up_unless_they_disagree():
    table = pd.DataFrame(
        {
            "compound_id": ["a1", "a2", "b1", "x9"],
            "one": [1, 0, 1, 1],
            "two": [np.nan, 1, 0, 1],
            "three": [0, 0, None, 1],
        }
    )
    found = labels_of_screen(table, KEYS, ["A", "B", "C"])
    expected = pd.DataFrame({"inchikey": ["A", "B"], "one": [np.nan, 1], "two": [1.0, 0], "three": [0.0, np.nan]})
    pd.testing.assert_frame_equal(found.labels, expected)
    assert found.conflicts == 1
    assert found.rows == 3


def test_labels_by_inchikey_need_no_ids():
    table = pd.DataFrame({"inchikey": ["A", "B", "Z"], "one": [1.0, np.nan, 0.0]})
    found = labels_of_screen(table, KEYS.iloc[:0], ["A", "B", "C"])
    assert found.labels.to_dict("list") == {"inchikey": ["A"], "one": [1.0]}
    assert found.rows == 2
    assert found.conflicts == 0


def test_rows_of_one_inchikey_that_disagree_count_as_not_measured():
    table = pd.DataFrame({"inchikey": ["B", "A", "B"], "one": [0.0, 1.0, 1.0], "two": [1.0, 0.0, 1.0]})
    found = labels_of_screen(table, KEYS, ["A", "B"])
    expected = pd.DataFrame({"inchikey": ["A", "B"], "one": [1.0, np.nan], "two": [0.0, 1.0]})
    pd.testing.assert_frame_equal(found.labels, expected)
    assert (found.rows, found.conflicts) == (3, 1)


def test_a_compound_whose_labels_all_disagree_has_none():
    table = pd.DataFrame({"compound_id": ["a1", "a2", "b1"], "one": [0.0, 1.0, 1.0]})
    found = labels_of_screen(table, KEYS, ["A", "B"])
    assert found.labels["inchikey"].tolist() == ["B"]
    assert found.conflicts == 1


def test_compounds_without_a_field_and_ids_without_a_structure_are_left_out():
    table = pd.DataFrame({"compound_id": ["a1", "b1", "unread"], "one": [1.0, 0.0, 1.0]})
    found = labels_of_screen(table, KEYS, ["A", None])
    assert found.labels.to_dict("list") == {"inchikey": ["A"], "one": [1.0]}
    assert found.rows == 1


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
    found = labels_of_screen(table, KEYS, ["A"])
    assert found.labels.empty
    assert found.conflicts == 0
    schemas.labels.validate(found.labels)


def test_the_table_fits_its_schema():
    keys = [made_up_key(number) for number in range(3)]
    table = pd.DataFrame({"inchikey": keys[::-1], "one": [1.0, np.nan, 0.0], "two": [np.nan, np.nan, 1.0]})
    labels = schemas.labels.validate(labels_of_screen(table, KEYS, keys).labels)
    assert labels["inchikey"].tolist() == [keys[0], keys[2]]


@pytest.mark.parametrize(("length", "expected"), [(27, 1), (25, 1), (14, 2)])
def test_cut_keys_are_those_of_all_compounds_that_begin_with_them(length, expected):
    keys = [made_up_key(0), made_up_key(0, stereo=1), made_up_key(1)]
    table = pd.DataFrame({"inchikey": [keys[0][:length], made_up_key(2)[:length]], "one": [1.0, 0.0]})
    found = labels_of_screen(schemas.assay_labels.validate(table), KEYS, keys)
    assert found.labels["inchikey"].tolist() == keys[:expected]
    assert (found.rows, found.conflicts) == (1, 0)


def test_a_cut_key_and_a_whole_key_that_disagree_count_as_not_measured():
    keys = [made_up_key(0), made_up_key(0, stereo=1)]
    table = pd.DataFrame({"inchikey": [keys[0][:14], keys[1]], "one": [1.0, 0.0], "two": [1.0, np.nan]})
    found = labels_of_screen(table, KEYS, keys)
    expected = pd.DataFrame({"inchikey": keys, "one": [1.0, np.nan], "two": [1.0, 1.0]})
    pd.testing.assert_frame_equal(found.labels, expected)
    assert (found.rows, found.conflicts) == (2, 1)


@pytest.mark.parametrize("key", ["A" * 13, "A" * 14 + "-", "A" * 14 + "-" + "B" * 9, "a" * 14, "A" * 15])
def test_other_lengths_are_no_keys(key):
    with pytest.raises(SchemaError, match="inchikey"):
        schemas.assay_labels.validate(pd.DataFrame({"inchikey": [key], "one": [1.0]}))

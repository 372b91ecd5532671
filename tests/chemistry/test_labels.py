import numpy as np
import pandas as pd
import pytest

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

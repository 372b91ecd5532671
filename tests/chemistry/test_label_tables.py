"""Tables of labels in all forms that are read, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.chemistry.label_config import LabelColumns
from cloome_kedro.chemistry.label_tables import read_labels
from cloome_kedro.imaging.columns import find_column

KEYS = [f"{letter * 14}-UHFFFAOYSA-N" for letter in "ABCDEF"]


def read(table, identify=str, **settings):
    return read_labels(pd.DataFrame(table), LabelColumns(**settings), find_column, identify)


def labels_of(given):
    """(InChIKey or id, assay) -> labels."""
    entry = given.entries["inchikey"].fillna(given.entries["compound"]).fillna(given.entries["name"])
    found = {}
    for row in given.labels.itertuples():
        found.setdefault((entry[row.entry], given.assays[row.assay]), []).append(row.active)
    return found


def test_a_wide_table_with_blanks():
    table = {"InChIKey": KEYS[:3], "smiles": ["C"] * 3, "one": ["1", "", "0"], "two": ["NA", " 1.0 ", "-"]}
    given = read(table)
    assert given.assays == ["one", "two"]
    assert labels_of(given) == {(KEYS[0], "one"): [1], (KEYS[2], "one"): [0], (KEYS[1], "two"): [1]}


def test_a_long_table_repeats_compounds():
    table = {
        "Metadata_broad_sample": ["a", "a", "b", "a", "b"],
        "assay": ["x", "y", "x", "x", None],
        "activity": ["active", "inactive", "Inconclusive", "INACTIVE", ""],
    }
    given = read(table)
    assert labels_of(given) == {("a", "x"): [1, 0], ("a", "y"): [0]}
    assert (given.assays, len(given.entries), given.unclear) == (["x", "y"], 2, 1)


@pytest.mark.parametrize(
    ("active", "inactive"),
    [("1", "0"), ("1", "-1"), ("true", "FALSE"), ("Active", "inactive"), (True, False), (1.0, -1)],
)
def test_the_ways_to_write_a_label(active, inactive):
    given = read({"inchikey": KEYS[:3], "assay 1": [active, inactive, None]})
    assert labels_of(given) == {(KEYS[0], "assay 1"): [1], (KEYS[1], "assay 1"): [0]}


@pytest.mark.parametrize(
    ("both", "expected"), [("zero_not_measured", {0: 1, 2: 0}), ("minus_one_not_measured", {0: 1, 1: 0})]
)
def test_a_table_with_0_and_minus_1_needs_a_rule(both, expected):
    """Also if they are in different columns: a table has one convention."""
    for table in ({"x": ["1", "0", "-1"]}, {"x": ["1", "0", ""], "y": ["", "", "-1"]}):
        table = {"inchikey": KEYS[:3], **table}
        with pytest.raises(
            ValueError, match=r"has the labels 0 and -1, .* set labels\.table\.both to zero_not_measured"
        ):
            read(table)
        found = labels_of(read(table, both=both))
        assert {key: active for (key, _), (active,) in found.items()} == {KEYS[i]: a for i, a in expected.items()}


VALUES = ["10", "9.99", ">10", "> 9", "<10", "<11", ">=10", "<=10", "1e1", "~12", "inactive", "-666"]
ABOVE = [1, 0, 1, None, 0, None, 1, None, 1, 1, 0, None]
BELOW = [1, 1, 0, None, 1, None, None, 1, 1, 0, 0, None]


@pytest.mark.parametrize(("active", "expected"), [("above", ABOVE), ("below", BELOW)])
def test_a_threshold_and_limits(active, expected):
    """A limit counts if all values that it allows are on one side; > 10 has no value that is at most 10."""
    table = {"compound": [f"c{i}" for i in range(len(VALUES))], "assay": "IC50", "value": VALUES}
    given = read(table, threshold=10, active=active)
    found = {key: active for (key, _), (active,) in labels_of(given).items()}
    assert found == {f"c{i}": label for i, label in enumerate(expected) if label is not None}
    assert given.unclear == sum(label is None for label in expected) - 1, "-666 is missing, not unclear"


def test_limits_agree_with_the_values_that_they_allow():
    """Against an enumeration of what a limit allows, on a grid around the threshold."""
    values = np.arange(-30, 31) / 10
    allowed = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "": np.equal}
    for active in ("above", "below"):
        for sign, compare in allowed.items():
            for number in (-1.0, -0.1, 0.0, 0.1, 1.0):
                possible = values[compare(values, number)]
                sides = {bool(value >= 0 if active == "above" else value <= 0) for value in possible}
                table = {"compound": ["c"], "assay": ["x"], "value": [f"{sign}{number}"]}
                found = labels_of(read(table, threshold=0, active=active)).get(("c", "x"), [None])[0]
                # The grid has gaps: < 0.1 allows no value above 0 on it.
                if len(sides) == 2:
                    assert found is None, (active, sign, number)
                else:
                    assert found in (float(*sides), None), (active, sign, number)
                if sign in ("", "<=", ">=") and len(sides) == 1:
                    assert found == float(*sides), (active, sign, number)


def test_thresholds_of_single_assays():
    table = {"compound": ["a", "a", "a"], "assay": ["x", "y", "z"], "value": ["5", "5", "1"]}
    given = read(table, thresholds={"x": 4, "y": 6})
    assert labels_of(given) == {("a", "x"): [1], ("a", "y"): [0], ("a", "z"): [1]}


def test_named_columns_and_chosen_assays():
    table = {"who": ["a"], "inchikey": ["x"], "weight": ["123.4"], "assay_1": ["1"], "assay_2": ["0"]}
    given = read(table, compound="who", inchikey="", assays=["^assay_"])
    assert labels_of(given) == {("a", "assay_1"): [1], ("a", "assay_2"): [0]}


def test_a_column_of_keys_that_is_not_used_is_no_assay():
    given = read({"smiles": ["C"], "inchikey": ["x"], "x": ["1"]}, inchikey="", smiles="", compound="smiles")
    assert (given.assays, given.entries["compound"].tolist()) == (["x"], ["C"])


def test_structures_give_keys_if_there_are_none():
    table = {"SMILES": ["C", "?C", "CC"], "x": ["1", "1", "0"]}
    given = read(table, identify=lambda smiles: {"C": KEYS[0], "CC": KEYS[1]}.get(smiles, smiles))
    assert given.entries["inchikey"].tolist() == [KEYS[0], None, KEYS[1]]


def test_malformed_keys_are_counted():
    given = read({"inchikey": [KEYS[0], KEYS[1][:14], KEYS[2][:25], "CCO"], "x": ["1"] * 4})
    assert given.bad_keys == 1
    assert given.entries["inchikey"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ({"inchikey": ["A"], "x": ["maybe"]}, {}, r"row 1, assay x has the value 'maybe'\. Labels are 1, 0"),
        ({"inchikey": ["A"], "x": ["2.5"]}, {}, r"'2\.5'.*set labels\.table\.threshold"),
        ({"inchikey": ["A"], "x": [">1"]}, {}, r"'>1'.*set labels\.table\.threshold"),
        ({"x": ["1"]}, {}, r"does not say which compounds .* labels\.table\.inchikey"),
        ({"inchikey": ["A"], "x": ["1"]}, {"compound": "id"}, r"has no column id \(labels\.table\.compound\)"),
        ({"inchikey": ["A"], "x": ["1"]}, {"assays": ["^y"]}, r"no column matches labels\.table\.assays"),
        ({"inchikey": ["A"], "x": ["1"]}, {"form": "long"}, r"has no column of the assays"),
        ({"compound": ["A"], "assay": [""], "value": ["1"]}, {}, r"row 1 has a value but no assay"),
    ],
    ids=["word", "number", "limit", "no key", "no column", "no match", "not long", "no assay"],
)
def test_what_is_refused(table, settings, message):
    with pytest.raises(ValueError, match=message):
        read(table, **settings)


def test_messages_give_the_line_and_the_file():
    table = pd.DataFrame({"inchikey": [KEYS[0], KEYS[1]], "x": ["1", "x"]}, index=pd.Index([2, 5], name="line"))
    table.attrs["file"] = "labels.csv"
    with pytest.raises(ValueError, match=r"labels\.csv: line 5, assay x"):
        read_labels(table, LabelColumns(), find_column)


def test_patterns_are_checked():
    with pytest.raises(ValueError, match=r"labels\.table\.assays: \( is no regular expression"):
        LabelColumns(assays=("(",))

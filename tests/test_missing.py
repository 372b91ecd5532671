import pandas as pd
import pytest

from cloome_kedro.missing import is_missing, known, known_parts
from cloome_kedro.words import MISSING


@pytest.mark.parametrize(
    "word",
    [
        *("", " ", "\t", "\xa0", None, float("nan"), "NA", "na ", "N/A", "n/a", "#N/A", "NaN", "nan", "<NA>", "None"),
        *("NULL", "\\N", "-", "--", "–", "?", ".", "n.d.", "unknown", "Unknown ", "Not available"),
        *("-666", "-666.0", "-6.66e2", -666, -666.0),
    ],
)
def test_usual_words_are_missing(word):
    assert is_missing(pd.Series(["DMSO", word], dtype=object)).tolist() == [False, True]
    assert known(pd.Series(["DMSO", word], dtype=object)).tolist() == ["DMSO", None]


@pytest.mark.parametrize(
    "word", ["0", 0, 0.0, False, "666", "-66", "Nan-1", "NAD", "naproxen", "unknown kinase", "inf"]
)
def test_other_words_are_values(word):
    assert not is_missing(pd.Series([word], dtype=object)).any()


def test_a_list_of_words_replaces_the_usual_ones():
    values = pd.Series(["NA", "not tested", "", "-1.0"])
    assert is_missing(values, ("Not tested", "-1")).tolist() == [False, True, True, True]
    assert is_missing(values, ()).tolist() == [False, False, True, False]


def test_a_column_of_numbers():
    assert is_missing(pd.Series([1.5, -666.0, float("nan")])).tolist() == [False, True, True]
    assert known(pd.Series([7, -666], index=[3, 4])).to_dict() == {3: "7", 4: None}


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_column_without_entries(values):
    column = pd.Series(values, dtype=object)
    assert is_missing(column).tolist() == [True] * len(values)
    assert known(column).tolist() == known_parts(column).tolist() == values


def test_missing_parts_of_a_list_are_left_out():
    moa = pd.Series(["a inhibitor| NA|b agonist", "unknown", "N/A|?", "-666|c", "a inhibitor"])
    assert known_parts(moa).tolist() == ["a inhibitor|b agonist", None, None, "c", "a inhibitor"]
    assert known_parts(moa, ("?",)).tolist()[:3] == ["a inhibitor|NA|b agonist", "unknown", "N/A"]


def test_the_usual_words_are_in_lower_case():
    assert list(MISSING) == [word.strip().casefold() for word in MISSING]

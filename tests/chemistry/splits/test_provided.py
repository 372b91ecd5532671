import logging

import pandas as pd
import pytest

from cloome_kedro.chemistry.folds import SplitError
from cloome_kedro.chemistry.splits.provided import provided_split
from made_up_compounds import made_up_compounds, made_up_key

COMPOUNDS = made_up_compounds(range(4), range(4))
PAIRS = pd.DataFrame(
    [
        ("P1", "A01", 1, made_up_key(0)),
        ("P1", "A01", 2, made_up_key(0)),
        ("P2", "A01", 1, made_up_key(0)),
        ("P1", "B02", 1, made_up_key(1)),
        ("P2", "C03", 1, made_up_key(2)),
        ("P2", "D04", 1, made_up_key(3)),
    ],
    columns=["plate", "well", "site", "inchikey"],
)


def split_by(*rows) -> pd.DataFrame:
    """Folds by a table of these rows."""
    table = pd.DataFrame(rows, columns=["inchikey", "plate", "well", "site", "fold"]).astype({"site": "Int64"})
    return provided_split(COMPOUNDS, PAIRS, {"train": 1.0}, 0, provided_folds=table)


def test_by_key_well_and_field(caplog):
    with caplog.at_level(logging.WARNING):
        folds = split_by(
            (made_up_key(0), None, None, None, "train"),
            (None, "P1", "B02", None, "validation"),
            (None, "P2", "C03", 1, "test"),
            (None, "P9", "C03", 1, "test"),  # not in this screen
            (made_up_key(9), None, None, None, "test"),
        )
    # The compound of block 3 has no row, so it is left out.
    expected = [[made_up_key(0), "train"], [made_up_key(1), "validation"], [made_up_key(2), "test"]]
    assert folds.values.tolist() == expected
    unmatched = f"row 4 (P9, C03, 1, test), row 5 ({made_up_key(9)}, test)"
    assert f"2 rows of provided_folds match no compound or field of this screen, e.g. {unmatched}\n" in caplog.text
    assert "1 compounds have no fold in provided_folds and are left out" in caplog.text


def test_a_table_that_names_every_compound_gives_no_warning(caplog):
    folds = split_by(*((made_up_key(block), None, None, None, "test") for block in range(4)))
    assert folds.values.tolist() == [[made_up_key(block), "test"] for block in range(4)]
    assert not caplog.records


def test_a_key_counts_by_its_first_block():
    folds = split_by((made_up_key(1, stereo=5), None, None, None, "test"))
    assert folds.values.tolist() == [[made_up_key(1), "test"]]


def test_plate_and_well_do_not_count_beside_a_key():
    folds = split_by((made_up_key(1), "P2", "C03", 1, "test"))
    assert folds.values.tolist() == [[made_up_key(1), "test"]]


def test_the_lines_of_a_file_are_named():
    table = pd.DataFrame({"inchikey": [made_up_key(0), made_up_key(1)], "fold": ["train", "exam"]})
    table = table.reindex(columns=["inchikey", "plate", "well", "site", "fold"])
    table.index = pd.Index([2, 7], name="line")
    with pytest.raises(SplitError, match=rf"1 rows have a fold that is none of .*: line 7 \({made_up_key(1)}, exam\)"):
        provided_split(COMPOUNDS, PAIRS, {"train": 1.0}, 0, provided_folds=table)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(made_up_key(0), None, None, None, "trian")],
            rf"1 rows have a fold that is none of train, validation, test: row 1 \({made_up_key(0)}",
        ),
        ([(made_up_key(0), None, None, None, None)], "1 rows have a fold that is none of"),
        ([(None, "P1", None, 1, "train")], r"1 rows have neither inchikey nor plate and well: row 1 \(P1, 1, train\)"),
        (
            [(made_up_key(0), None, None, None, "train"), (None, "P2", "A01", 1, "test")],
            rf"1 compounds are in more than one fold: {made_up_key(0)}: row 1 .*, row 2 \(P2, A01, 1, test\)",
        ),
        ([(None, "P9", "A01", None, "train")], "no row matches a compound or a field of this screen"),
        ([], "no row matches"),
    ],
)
def test_what_cannot_be_read_is_refused(rows, message):
    with pytest.raises(SplitError, match=message):
        split_by(*rows)

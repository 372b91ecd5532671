"""Published numbers, and the format in which they are printed."""

import pytest

from cloome_kedro.reporting.published import (
    label_parts,
    misprint_notes,
    percent_as_published,
    printed_labels,
    printed_rows,
    printed_value,
    published_figures,
    significant_digits,
)


def test_numbers_have_three_significant_digits():
    assert [significant_digits(value) for value in (11.34, 100, 0.9917, 2.0, 0.0, 0.00001)] == [
        "11.3", "100", "0.992", "2.00", "0", "0.000"
    ]  # fmt: skip
    assert percent_as_published({"value": 0.1125, "low": float("nan"), "high": float("nan")}) == "11.2"


def test_rows_of_a_source_are_in_the_printed_order():
    rows = printed_rows("SI table 7")
    labels = printed_labels("SI table 7", "Random")
    assert labels == list(dict.fromkeys(label for split, label, _ in rows if split == "Random"))
    assert printed_value(rows["Random", "CLOOME (structure retr.)", "Top-1"]) == "11.3 (9.94–12.7)"
    assert printed_rows("") == {}


def test_every_label_has_the_form_that_is_read():
    for label in published_figures()["method"].unique():
        assert label_parts(label)["method"] in ("CLOOME", "Bilinear model", "Random", "CellProfiler", "GapNet")
    with pytest.raises(ValueError, match=r"published.csv: the method 'A \(B\) C' must have the form"):
        label_parts("A (B) C")


def test_numbers_with_the_same_note_share_a_line():
    assert len(misprint_notes("SI table 7")) == 4
    assert misprint_notes("published notebook") == [
        "Published CLOOME (structure retr.) Top-1, random split and 5 other numbers: an earlier run of the published"
        " notebook printed this value."
    ]
    assert misprint_notes("SI table 8") == []

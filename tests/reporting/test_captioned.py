"""A captioned table survives CSV, and Markdown shows the same cells."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.reporting.captioned import CaptionedTable

TABLE = pd.DataFrame({"Method": ["CLOOME", "a | b"], "Top-1 (%)": ["11.3 (9.94–12.7)", "–"], "n": ["2,115", ""]})
LINE = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


def test_markdown_has_one_line_per_row():
    lines = CaptionedTable("SI table 7", ("ours: simulated",), TABLE).to_markdown().splitlines()
    assert lines[0] == "## SI table 7"
    assert lines[2:6] == [
        "| Method | Top-1 (%) | n |",
        "| --- | --- | --- |",
        "| CLOOME | 11.3 (9.94–12.7) | 2,115 |",
        r"| a \| b | – |  |",
    ]
    assert lines[-1] == "- ours: simulated"


def test_csv_is_read_by_pandas_as_it_is(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(CaptionedTable("SI table 7", ("a note", "another"), TABLE).to_csv())
    read = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(read, TABLE, check_dtype=False)


@given(LINE, st.lists(LINE, max_size=3), st.lists(st.tuples(LINE, LINE), max_size=4))
def test_csv_round_trip(title, notes, rows):
    table = pd.DataFrame(rows, columns=["Split", "n"], dtype=str)
    again = CaptionedTable.from_csv(CaptionedTable(title, tuple(notes), table).to_csv())
    assert (again.title, again.notes) == (title, tuple(notes))
    assert again.table.to_numpy().tolist() == [list(row) for row in rows]
    assert list(again.table) == ["Split", "n"]


def test_a_csv_without_a_title_is_refused():
    with pytest.raises(ValueError, match=r"must begin with its title, `# ...`\. Run the pipeline reporting again"):
        CaptionedTable.from_csv("Method,n\nCLOOME,3\n")

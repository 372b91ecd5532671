"""Captioned tables on disk: CSV and Markdown side by side, both whole or as they were."""

import inspect

import pandas as pd
import pytest

from cloome_kedro.datasets.captioned import CaptionedTableDataset
from cloome_kedro.reporting.captioned import CaptionedTable


def captioned(cell: str) -> CaptionedTable:
    return CaptionedTable("SI table 7", ("ours: simulated",), pd.DataFrame({"Method": ["CLOOME"] * 8, "n": [cell] * 8}))


def test_round_trip_with_markdown_beside(tmp_path):
    dataset = CaptionedTableDataset(filepath=str(tmp_path / "deep" / "table_7.csv"))
    assert not dataset.exists()
    dataset.save(captioned("28"))
    assert dataset.exists()
    assert dataset.load().title == "SI table 7"
    pd.testing.assert_frame_equal(dataset.load().table, captioned("28").table, check_dtype=False)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["table_7.csv", "table_7.md"]
    assert (tmp_path / "deep" / "table_7.md").read_text() == captioned("28").to_markdown()


def test_a_failed_save_keeps_what_was_there(tmp_path, monkeypatch):
    dataset = CaptionedTableDataset(filepath=str(tmp_path / "table_7.csv"))
    dataset.save(captioned("28"))
    monkeypatch.setattr(CaptionedTable, "to_csv", lambda self: 1 / 0)
    with pytest.raises(Exception, match="division"):
        dataset.save(captioned("29"))
    assert set(dataset.load().table["n"]) == {"28"}


def test_preview_is_what_kedro_viz_shows_as_a_table(tmp_path):
    dataset = CaptionedTableDataset(filepath=str(tmp_path / "table_7.csv"))
    dataset.save(captioned("28"))
    assert inspect.signature(dataset.preview).return_annotation.__name__ == "TablePreview"
    assert dataset.preview(nrows=2) == {
        "index": [0, 1],
        "columns": ["Method", "n"],
        "data": [["CLOOME", "28"], ["CLOOME", "28"]],
    }

"""Tables and texts: what is saved comes back, and a failed save leaves what was there."""

import pandas as pd
import pytest

from cloome_kedro.datasets.figures import Figure
from cloome_kedro.datasets.tables import CsvTable, OptionalTable, Table, Text

TABLE = pd.DataFrame({"compound_id": ["a", "b"], "value": [1.5, 2.5]})


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [
        (Table, "parquet", {}),
        (CsvTable, "csv", {"save_args": {"index": False}}),
        (OptionalTable, "parquet", {"columns": []}),
    ],
)
def test_round_trip(tmp_path, kind, suffix, options):
    dataset = kind(filepath=str(tmp_path / "deep" / f"table.{suffix}"), **options)
    assert not dataset.exists()
    dataset.save(TABLE)
    assert dataset.exists()
    pd.testing.assert_frame_equal(dataset.load(), TABLE)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"table.{suffix}"]


def test_text_and_figure(tmp_path):
    from matplotlib.figure import Figure as MatplotlibFigure

    text = Text(filepath=str(tmp_path / "report.html"))
    text.save("<p>µm</p>")
    assert text.load() == "<p>µm</p>"
    Figure(filepath=str(tmp_path / "figure.png")).save(MatplotlibFigure())
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    dataset = Table(filepath=str(tmp_path / "table.parquet"))
    dataset.save(TABLE)

    def write_half(self, file, **options):
        file.write(b"PAR1 half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write_half)
    with pytest.raises(Exception, match="no space left"):
        dataset.save(TABLE)
    pd.testing.assert_frame_equal(dataset.load(), TABLE)


def test_an_absent_optional_table_is_empty(tmp_path):
    loaded = OptionalTable(filepath=str(tmp_path / "truth.parquet"), columns=["plate", "well"]).load()
    assert loaded.empty
    assert list(loaded) == ["plate", "well"]

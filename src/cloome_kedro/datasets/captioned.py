"""Save a captioned table as CSV and as Markdown."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from cloome_kedro.atomic import replace_file
from cloome_kedro.reporting.captioned import CaptionedTable


class CaptionedTableDataset(AbstractDataset[CaptionedTable, CaptionedTable]):
    """A captioned table as CSV, and as Markdown in the same folder.

    Loading reads the CSV. kedro-viz shows the first rows of the table; their number is ``nrows`` in
    ``metadata: kedro-viz: preview_args``.

    Parameters
    ----------
    filepath
        The CSV file.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def save(self, data: CaptionedTable) -> None:
        # The CSV is written last, so that it never exists without the Markdown.
        for path, text in (
            (self._filepath.with_suffix(".md"), data.to_markdown()),
            (self._filepath, data.to_csv()),
        ):
            with replace_file(path) as part:
                part.write_text(text, encoding="utf-8")

    def load(self) -> CaptionedTable:
        return CaptionedTable.from_csv(self._filepath.read_text(encoding="utf-8"))

    def places(self) -> list[Path]:
        """Both files."""
        return [self._filepath, self._filepath.with_suffix(".md")]

    def preview(self, nrows: int = 5) -> TablePreview:
        return TablePreview(self.load().table.head(nrows).to_dict(orient="split"))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

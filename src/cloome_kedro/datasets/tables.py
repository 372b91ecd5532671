"""Tables and texts of the catalog: kedro-datasets' own, saved by rename."""

from pathlib import Path

import pandas as pd
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from cloome_kedro.datasets.atomic import AtomicSave


class Table(AtomicSave, ParquetDataset):
    """A table as parquet."""


class OptionalTable(Table):
    """A table that a screen may lack: an absent file is an empty table with the given columns."""

    def __init__(self, *, filepath: str, columns: list[str], **options):
        super().__init__(filepath=filepath, **options)
        self._columns = columns

    def load(self) -> pd.DataFrame:
        if not Path(self._filepath).exists():
            return pd.DataFrame(columns=self._columns)
        return super().load()


class CsvTable(AtomicSave, CSVDataset):
    """A table as CSV, for tables that people write or read by hand."""


class Text(AtomicSave, TextDataset):
    """A text, such as the HTML report."""

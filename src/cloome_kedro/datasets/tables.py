"""Tables and texts: the datasets of kedro-datasets, with files that are replaced as a whole."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.utils import load_obj
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from cloome_kedro.datasets.atomic import AtomicSave


class Table(AtomicSave, ParquetDataset):
    """A table as parquet."""


class OptionalTable(Table):
    """A table that a screen or a study may lack. If the file is missing, loading returns an empty table.

    Parameters
    ----------
    filepath
        The parquet file.
    schema
        pandera schema of the table, ``module.name``. Tables are checked against it, and it gives the columns of an
        empty table.
    """

    def __init__(self, *, filepath: str, schema: str, **options: Any):
        super().__init__(filepath=filepath, **options)
        self._schema = schema

    def load(self) -> pd.DataFrame:
        from cloome_kedro.schemas import empty

        schema = load_obj(self._schema)
        return schema.validate(super().load()) if Path(self._filepath).exists() else empty(schema)

    def save(self, data: pd.DataFrame) -> None:
        super().save(load_obj(self._schema).validate(data))


class CsvTable(AtomicSave, CSVDataset):
    """A table as CSV, for tables that people write or read."""


class Text(AtomicSave, TextDataset):
    """A text, such as the HTML report."""


class OptionalText(Text):
    """A text that a study may lack. If the file is missing, loading returns an empty text."""

    def load(self) -> str:
        return super().load() if Path(self._filepath).exists() else ""

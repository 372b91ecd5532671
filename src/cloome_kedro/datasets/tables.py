"""Tables and texts: the datasets of kedro-datasets, with files that are replaced as a whole."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from cloome_kedro.datasets.atomic import AtomicSave
from cloome_kedro.datasets.checked import CheckedTables, state_of
from cloome_kedro.datasets.described import Described
from cloome_kedro.file_states import MISSING


class Table(AtomicSave, ParquetDataset):
    """A table as parquet. Loading replaces an index with repeated labels, such as that of joined tables of a user."""

    def load(self) -> pd.DataFrame:
        table = super().load()
        return table if table.index.is_unique else table.reset_index(drop=True)


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
        self._checked = CheckedTables()

    def load(self) -> pd.DataFrame:
        from cloome_kedro.schemas import empty

        schema = load_obj(self._schema)
        if (before := state_of(self)) == MISSING:
            return empty(schema)
        table = super().load()
        return table if self._checked.includes("", before, table) else schema.validate(table)

    def save(self, data: pd.DataFrame) -> None:
        table = load_obj(self._schema).validate(data)
        super().save(table)
        self._checked.add("", state_of(self), table)


class CsvTable(AtomicSave, CSVDataset):
    """A table as CSV, for tables that people write or read."""


class UserTable(Described, AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A table of the user, as text: ``.csv``, ``.tsv`` or ``.txt`` of any separator and encoding, or ``.parquet``.

    Loading returns text without outer spaces and null for empty cells. The index gives the line in the file. The table
    is read only.

    Parameters
    ----------
    filepath
        The file.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        from cloome_kedro.imaging.tables import read_table
        from cloome_kedro.missing import known

        return read_table(self._filepath, unique=True).apply(known, words=())

    def save(self, data: pd.DataFrame) -> None:
        raise DatasetError(f"{self._filepath} is a table of the user, which is read only")

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class Text(AtomicSave, Described, TextDataset):
    """A text, such as the HTML report."""

"""Load a table of assay labels of any format."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file
from cloome_kedro.datasets.described import Described

_TABLES = (".parquet", ".csv", ".tsv", ".txt")
_COMPRESSIONS = ("", ".gz", ".bz2", ".xz")


class LabelTable(Described, AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A table of assay labels: ``.csv``, ``.tsv`` or ``.txt``, also compressed, or ``.parquet``.

    Loading returns text. What the text means is in ``params:labels``. If there is no table, loading returns one
    without rows.

    Parameters
    ----------
    filepath
        The file. If it is missing, a file beside it counts that has the same name with another suffix, such as
        ``assay_labels.csv.gz``. Saving writes parquet.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Load the table. ``attrs["file"]`` is its name, for messages.

        Raises
        ------
        DatasetError
            If there are several tables, or the table cannot be read.
        """
        from cloome_kedro.imaging.tables import read_table

        path = self._file()
        if path is None:
            return pd.DataFrame({"compound_id": pd.Series(dtype=str)})
        try:
            table = read_table(path, unique=True)
        except (OSError, ValueError) as error:
            raise DatasetError(str(error)) from error
        table.attrs["file"] = str(path)
        return table

    def _file(self) -> Path | None:
        if self._filepath.is_file():
            return self._filepath
        stem = self._filepath.name
        while (suffix := Path(stem).suffix) in (*_TABLES, *_COMPRESSIONS[1:]):
            stem = stem.removesuffix(suffix)
        names = [f"{stem}{table}{compression}" for table in _TABLES for compression in _COMPRESSIONS]
        found = [path for name in names if (path := self._filepath.with_name(name)).is_file()]
        if len(found) > 1:
            raise DatasetError(
                f"there are several tables of labels: {' and '.join(map(str, found))}. Keep one of them, or name it "
                "in the catalog (assay_labels)"
            )
        return found[0] if found else None

    def places(self) -> list[Path]:
        """The file that is loaded."""
        return [self._file() or self._filepath]

    def save(self, data: pd.DataFrame) -> None:
        """Save the labels of a simulated screen."""
        from cloome_kedro import schemas

        if self._filepath.suffix != ".parquet":
            raise DatasetError(f"{self._filepath} is a table of the user, which is read only")
        with replace_file(self._filepath) as part:
            schemas.assay_labels.validate(data).to_parquet(part)

    def _exists(self) -> bool:
        return self._file() is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

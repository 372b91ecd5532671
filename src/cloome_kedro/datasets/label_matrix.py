"""A bioactivity label matrix in Matrix Market format with its index files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError


class LabelMatrix(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A sparse matrix of compounds × assays, +1 active, -1 inactive, absent not measured, as table ``assay_labels``.

    Read only. The published matrix can be read as it is::

        assay_labels:
          type: cloome_kedro.datasets.label_matrix.LabelMatrix
          filepath: data/01_raw/my_screen/label-matrix.mtx
          rows: data/01_raw/my_screen/row-compound-index.csv
          columns: data/01_raw/my_screen/column-assay-index.csv
          validator: cloome_kedro.schemas.assay_labels
          metadata: {kedro-viz: {layer: raw}}

    Parameters
    ----------
    filepath
        The matrix (``.mtx``). Where it is absent, the table has no rows.
    rows
        CSV of the matrix's rows: ``INDEX`` (from 0) and ``INCHIKEY``.
    columns
        CSV of the matrix's columns in their order: ``ASSAY_ID``. An id that comes again (the published list has seven
        such columns) is told apart by its count: ``688816``, ``688816_2``, ``688816_3``.
    """

    def __init__(self, *, filepath: str, rows: str, columns: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._rows = Path(rows)
        self._columns = Path(columns)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Load the labels: ``inchikey``, then one float column an assay: 1.0, 0.0 or NaN.

        Raises
        ------
        DatasetError
            If a file cannot be read, the three do not fit one another, a value is not +1 or -1, or a compound or a
            cell of the matrix is there twice.
        """
        from scipy.io import mmread

        if not self._filepath.exists():
            return pd.DataFrame({"inchikey": pd.Series(dtype=str)})
        try:
            matrix = mmread(self._filepath, spmatrix=False)
        except ValueError as error:  # not Matrix Market, or an entry outside the size that its header gives
            raise DatasetError(f"{self._filepath}: {error}") from error
        if not hasattr(matrix, "tocoo"):
            raise DatasetError(f"{self._filepath}: is dense (array); needs the format coordinate")
        entries = matrix.tocoo()
        (of_rows, of_columns), values = entries.coords, entries.data
        if (wrong := ~np.isin(values, (1, -1))).any():
            first = int(np.argmax(wrong))
            raise DatasetError(
                f"{self._filepath}: {values[first]} in row {of_rows[first] + 1}, column {of_columns[first] + 1}; "
                "labels are 1 (active) and -1 (inactive), what was not measured is left out"
            )
        cells = pd.Series(of_rows.astype(np.int64) * matrix.shape[1] + of_columns)
        if (twice := cells.duplicated()).any():
            first = int(np.argmax(twice))
            raise DatasetError(
                f"{self._filepath}: row {of_rows[first] + 1}, column {of_columns[first] + 1} is there twice"
            )
        table = np.full(matrix.shape, np.nan)
        table[of_rows, of_columns] = values > 0
        labels = pd.DataFrame(table, columns=self._assays(matrix.shape[1]))
        labels.insert(0, "inchikey", self._compounds(matrix.shape[0]))
        return labels

    def _compounds(self, size: int) -> np.ndarray:
        """InChIKeys in the order of the matrix's rows."""
        index = _read(self._rows, ["INDEX", "INCHIKEY"])
        if (twice := index["INCHIKEY"].duplicated()).any():
            raise DatasetError(f"{self._rows}: compound {index.loc[twice, 'INCHIKEY'].iloc[0]} is there twice")
        numbers = pd.to_numeric(index["INDEX"], errors="coerce")
        if (beyond := ~numbers.isin(range(size))).any():
            raise DatasetError(
                f"{self._rows}: INDEX {index.loc[beyond, 'INDEX'].iloc[0]} is beyond the matrix, "
                f"whose {size} rows are 0 to {size - 1}"
            )
        if len(numbers) != size or numbers.duplicated().any():
            raise DatasetError(f"{self._rows}: {numbers.nunique()} different INDEX for the matrix's {size} rows")
        return index["INCHIKEY"].to_numpy()[np.argsort(numbers.to_numpy())]

    def _assays(self, size: int) -> list[str]:
        ids = _read(self._columns, ["ASSAY_ID"])["ASSAY_ID"]
        if len(ids) != size:
            raise DatasetError(f"{self._columns}: {len(ids)} assays for the matrix's {size} columns")
        count = ids.groupby(ids).cumcount() + 1
        names = ids.where(count == 1, ids + "_" + count.astype(str)).tolist()
        if len(set(names)) != size:
            raise DatasetError(f"{self._columns}: an ASSAY_ID is that of a repeated one with its count; rename it")
        return names

    def save(self, data: pd.DataFrame) -> None:
        raise DatasetError("label matrices are read only")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "rows": str(self._rows), "columns": str(self._columns)}


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: {error}") from error
    if missing := [name for name in columns if name not in table]:
        raise DatasetError(f"{path}: no column {missing[0]}; it has {', '.join(table.columns)}")
    if (empty := table[columns].isna().any(axis=1)).any():
        raise DatasetError(f"{path}: line {int(np.argmax(empty)) + 2} is incomplete")
    return table

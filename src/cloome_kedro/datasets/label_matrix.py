"""Load a label matrix in Matrix Market format with its index files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.datasets.described import Described
from cloome_kedro.imaging.tables import place, read_table
from cloome_kedro.missing import known


class LabelMatrix(Described, AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A sparse matrix of labels, compounds × assays, which is loaded as the table ``assay_labels``. It is read only.

    In the matrix, 1 is active and -1 is inactive. An entry that is absent was not measured. The published matrix can be
    read without changes::

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
        The matrix (``.mtx``). If it is missing, the table has no rows.
    rows
        CSV with one line per row of the matrix: ``INDEX`` (from 0) and ``INCHIKEY``.
    columns
        CSV with one line per column of the matrix, in the same order: ``ASSAY_ID``. An id that occurs
        again (in seven columns of the published list) gets a number: ``688816``, ``688816_2``, ``688816_3``.
    """

    def __init__(self, *, filepath: str, rows: str, columns: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._rows = Path(rows)
        self._columns = Path(columns)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Load the labels.

        Returns
        -------
        Column ``inchikey``, then one float column per assay: 1.0 active, 0.0 inactive, NaN not measured.

        Raises
        ------
        DatasetError
            If a file cannot be read, if the files do not fit together, if a value is not 1 or -1, or if a compound or
            an entry of the matrix occurs twice.
        """
        from scipy.io import mmread

        if not self._filepath.exists():
            return pd.DataFrame({"inchikey": pd.Series(dtype=str)})
        try:
            matrix = mmread(self._filepath, spmatrix=False)
        except ValueError as error:  # not Matrix Market, or an entry outside the size in the header
            raise DatasetError(f"{self._filepath}: {error}") from error
        if not hasattr(matrix, "tocoo"):
            raise DatasetError(f"{self._filepath} is a dense matrix (array), but must be sparse (coordinate)")
        entries = matrix.tocoo()
        (rows, columns), values = entries.coords, entries.data
        if (is_wrong := ~np.isin(values, (1, -1))).any():
            first = int(np.argmax(is_wrong))
            raise DatasetError(
                f"{self._filepath}: row {rows[first] + 1}, column {columns[first] + 1} has the value {values[first]}. "
                "Labels must be 1 (active) or -1 (inactive); leave out what was not measured"
            )
        cells = pd.Series(rows.astype(np.int64) * matrix.shape[1] + columns)
        if (is_repeated := cells.duplicated()).any():
            first = int(np.argmax(is_repeated))
            raise DatasetError(f"{self._filepath}: row {rows[first] + 1}, column {columns[first] + 1} occurs twice")
        table = np.full(matrix.shape, np.nan)
        table[rows, columns] = values > 0
        labels = pd.DataFrame(table, columns=self._assays(matrix.shape[1]))
        labels.insert(0, "inchikey", self._compounds(matrix.shape[0]))
        return labels

    def _compounds(self, size: int) -> np.ndarray:
        """InChIKeys in the order of the matrix's rows."""
        index = _read(self._rows, ["INDEX", "INCHIKEY"])
        if (is_repeated := index["INCHIKEY"].duplicated()).any():
            raise DatasetError(f"{self._rows}: compound {index.loc[is_repeated, 'INCHIKEY'].iloc[0]} occurs twice")
        numbers = pd.to_numeric(index["INDEX"], errors="coerce")
        if (is_wrong := ~numbers.isin(range(size))).any():
            raise DatasetError(
                f"{self._rows}: INDEX {index.loc[is_wrong, 'INDEX'].iloc[0]} is no row of the matrix, which has the "
                f"rows 0 to {size - 1}"
            )
        if len(numbers) != size or numbers.duplicated().any():
            raise DatasetError(
                f"{self._rows} has {len(numbers)} lines with {numbers.nunique()} different values of INDEX; the matrix "
                f"has {size} rows, which need one line each"
            )
        return index["INCHIKEY"].to_numpy()[np.argsort(numbers.to_numpy())]

    def _assays(self, size: int) -> list[str]:
        ids = _read(self._columns, ["ASSAY_ID"])["ASSAY_ID"]
        if len(ids) != size:
            raise DatasetError(f"{self._columns} has {len(ids)} assays, but the matrix has {size} columns")
        count = ids.groupby(ids).cumcount() + 1
        names = ids.where(count == 1, ids + "_" + count.astype(str)).tolist()
        if len(set(names)) != size:
            repeated = pd.Series(names)[pd.Series(names).duplicated()].iloc[0]
            raise DatasetError(
                f"{self._columns}: the ASSAY_ID {repeated} is also the name of a repeated id with its number; rename it"
            )
        return names

    def save(self, data: pd.DataFrame) -> None:
        raise DatasetError("label matrices are read only")

    def places(self) -> list[Path]:
        """The matrix and its two tables."""
        return [self._filepath, self._rows, self._columns]

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "rows": str(self._rows), "columns": str(self._columns)}


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = read_table(path, columns)[columns].apply(known)
    except (OSError, ValueError) as error:
        raise DatasetError(str(error)) from error
    if (is_incomplete := table.isna().any(axis=1)).any():
        raise DatasetError(f"{path}: {place(table, int(np.argmax(is_incomplete)))} has no {' or no '.join(columns)}")
    return table.reset_index(drop=True)

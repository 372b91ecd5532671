"""Tables of features of fields, wells or compounds, from any program."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.datasets.described import Described


class FeatureTable(Described, AbstractDataset):
    """A table of features, which is loaded as `cloome_kedro.learning.views.features.Features`. It is read only.

    The table of a view ``{name: table, table: NAME}`` is the dataset ``NAME_features``. A parquet file at
    ``data/04_feature/<screen>/features/NAME.parquet`` needs no entry in the catalog. Others need one::

        dino_features:
          type: cloome_kedro.datasets.feature_table.FeatureTable
          filepath: /data/my_screen/dino.npy
          rows: /data/my_screen/dino_wells.csv
          columns: {plate: Barcode, well: Position}

    Parameters
    ----------
    filepath
        ``.csv``, ``.tsv`` or ``.txt``, each also as ``.gz``, ``.bz2`` or ``.xz``; ``.parquet``, ``.npy`` or ``.h5ad``.
    rows
        For ``.npy``: the table with the keys, one row per row of the matrix, in the same order. By default the file of
        the same name with the suffix ``.csv``, ``.tsv`` or ``.parquet``.
    columns
        Key (``field_id``, ``screen``, ``plate``, ``well``, ``site`` or ``inchikey``) -> name of its column. Keys that
        are not given are recognised by their names, such as ``Plate`` or ``Metadata_Plate``.
    features
        Regular expressions for the names of features. By default all columns are features, except keys,
        ``Metadata_...`` and ``not_features``.
    not_features
        Regular expressions for columns that are not features.
    matrix
        For ``.h5ad``: ``X``, ``layers/NAME`` or ``obsm/NAME``.
    """

    def __init__(
        self,
        *,
        filepath: str,
        rows: str | None = None,
        columns: Mapping[str, str] | None = None,
        features: Sequence[str] | None = None,
        not_features: Sequence[str] = (),
        matrix: str = "X",
        metadata: dict[str, Any] | None = None,
    ):
        self._filepath = Path(filepath)
        self._rows = None if rows is None else Path(rows)
        self._columns: dict[str, Any] = {"keys": columns or {}, "features": features, "not_features": not_features}
        self._matrix = matrix
        self.metadata = metadata

    def load(self) -> Any:
        """Load the table.

        Raises
        ------
        DatasetError
            If the file is missing or malformed, if it has no key, or if a feature is not numeric.
        """
        from cloome_kedro.imaging.feature_columns import FeatureColumns
        from cloome_kedro.imaging.feature_tables import read_features
        from cloome_kedro.learning.views.features import Features

        metadata: Any
        try:
            metadata, names, values = read_features(
                self._filepath, FeatureColumns(**self._columns), self._matrix, self._rows
            )
        except (ValueError, FileNotFoundError, ImportError) as error:
            raise DatasetError(str(error)) from error
        return Features(metadata, tuple(names), values, str(self._filepath))

    def save(self, data: Any) -> None:
        raise DatasetError(f"{self._filepath} is a table of the user, which is read only")

    def places(self) -> list[Path]:
        """The table, and the keys of a matrix."""
        keys = [self._filepath.with_suffix(suffix) for suffix in (".csv", ".tsv", ".parquet")]
        return [self._filepath, *(keys if self._rows is None else [self._rows])]

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "matrix": self._matrix}

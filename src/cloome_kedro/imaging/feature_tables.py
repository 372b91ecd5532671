"""Reading of tables of features: CSV, parquet, NumPy arrays with a table of keys, and AnnData.

The matrix is filled part by part, so that little more memory is needed than the matrix of float32 takes.
"""

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from cloome_kedro.imaging.feature_columns import INDEX, FeatureColumns, canonical_keys
from cloome_kedro.imaging.tables import likely_encodings

_TEXTS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SUFFIXES = (*_TEXTS, *(f".csv{packed}" for packed in _OPEN), ".parquet", ".npy", ".h5ad")
_ROWS = 8192  # rows that are read at once
_Read = TypeVar("_Read")


def read_features(
    path: Path, columns: FeatureColumns, matrix: str = "X", rows: Path | None = None
) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    """Read a table of features with keys in canonical form.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv`` or ``.txt``, each also compressed by gzip, bzip2 or xz, whose separator and encoding are
        recognised; ``.parquet``, whose columns may hold lists of equal length; ``.npy``, a matrix; or ``.h5ad``
        (AnnData).
    columns
        Names of columns.
    matrix
        For AnnData: ``X``, ``layers/NAME`` or ``obsm/NAME``.
    rows
        For a matrix: the table with one row per row of the matrix, in the same order. None: the file beside it of the
        same name with the suffix ``.csv``, ``.tsv`` or ``.parquet``.

    Returns
    -------
    metadata : pandas.DataFrame
        Keys, with their canonical names, and all columns that are not features.
    names : list of str
        Names of the features.
    values : (rows, features) float32
        Missing values are NaN.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        If a file is missing or malformed, if a feature is not numeric, or if AnnData is not installed. The message
        names the file and the column.
    """
    metadata, names, values = read_values(path, columns, matrix, rows)
    return canonical_keys(metadata, columns, path), names, values


class Columns(Protocol):
    """Says which columns of a table are keys and which are features."""

    def keys_in(self, names: Sequence[str], path: Path) -> Mapping[str, str]:
        """Find the columns that are keys: column -> key."""

    def features_in(self, names: Iterable[str], path: Path) -> list[str]:
        """Choose the features among the columns that are not keys; for AnnData and matrices, among the variables."""


def read_values(
    path: Path, columns: Columns, matrix: str = "X", rows: Path | None = None
) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    """Read a table of features. Keys stay as they are in the file.

    Parameters, results and errors are those of `read_features`. Keys of text files are text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}; put it there, or correct its path in the catalog")
    kind = path.suffix if path.suffix not in _OPEN else Path(path.stem).suffix
    if kind in _TEXTS:
        metadata, names, values = _read_text(path, _TEXTS[kind], columns)
    elif path.suffix == ".parquet":
        metadata, names, values = _read_parquet(path, columns)
    elif path.suffix == ".npy":
        metadata, names, values = _read_matrix(path, rows or _table_beside(path), columns)
    elif path.suffix == ".h5ad":
        from cloome_kedro.imaging.anndata_files import read_anndata

        metadata, names, values = read_anndata(path, matrix)
        chosen = columns.features_in(names, path)
        if len(chosen) < len(names):
            values = values[:, np.flatnonzero(np.isin(names, chosen))]
        names = chosen
    else:
        raise ValueError(f"{path} is no table of features; its suffix must be one of {', '.join(SUFFIXES)}")
    if not len(values):
        raise ValueError(f"{path} has no rows")
    return metadata, names, values


def _read_text(path: Path, usual: str, columns: Columns) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    try:
        return _decoded(path, lambda encoding: _read_encoded(path, usual, columns, encoding))
    except (UnicodeDecodeError, csv.Error, EOFError, OSError, lzma.LZMAError) as error:
        raise ValueError(
            f"{path} cannot be read as a table: {error}. Save it as CSV with the encoding UTF-8"
        ) from error


def _read_encoded(
    path: Path, usual: str, columns: Columns, encoding: str
) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    header, separator = _header(path, usual, encoding)
    keys = columns.keys_in(header, path)
    names = columns.features_in([name for name in header if name not in keys], path)
    kinds: dict[str, Any] = dict.fromkeys(header, str) | dict.fromkeys(names, np.float32)
    others, parts = [], []
    options: dict[str, Any] = {"sep": separator, "encoding": encoding, "names": header, "header": 0}
    reader = pd.read_csv(path, dtype=kinds, chunksize=_ROWS, **options)
    try:
        for chunk in reader:
            parts.append(chunk[names].to_numpy(np.float32))
            others.append(chunk.drop(columns=names))
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise ValueError(_not_numeric(path, names, options) or str(error)) from error
    if not parts:
        raise ValueError(f"{path} has no rows")
    return pd.concat(others, ignore_index=True), names, np.concatenate(parts)


def read_columns(path: Path, usual: str = ",", columns: list[str] | None = None) -> pd.DataFrame:
    """Read columns of a table of text, as text. Separator and encoding are recognised, as by `read_features`.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv`` or ``.txt``, each also compressed by gzip, bzip2 or xz.
    usual
        Separator, if several fit.
    columns
        Names of the columns. None: all.

    Raises
    ------
    ValueError, OSError
        If the file is malformed, or a column is missing.
    """

    def read(encoding: str) -> pd.DataFrame:
        header, separator = _header(path, usual, encoding)
        return pd.read_csv(path, dtype=str, sep=separator, encoding=encoding, names=header, header=0, usecols=columns)

    return _decoded(path, read)


def _decoded(path: Path, read: Callable[[str], _Read]) -> _Read:
    """Result of a function of the encoding, for the first likely encoding by which the file can be decoded."""
    with _OPEN.get(path.suffix, open)(path, "rb") as file:
        *others, last = likely_encodings(file.read(4096))
    for encoding in others:
        with suppress(UnicodeDecodeError):
            return read(encoding)
    return read(last)


def _header(path: Path, usual: str, encoding: str) -> tuple[list[str], str]:
    """Names of the columns of a text file, and its separator."""
    opened = _OPEN.get(path.suffix, open)(path, "rb")
    with opened as file:
        line = io.TextIOWrapper(file, encoding).readline()
    separator = max(dict.fromkeys([usual, ",", ";", "\t", "|"]), key=line.count)
    header = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    if repeated := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise ValueError(f"{path} has several columns {repeated[0]!r}: rename all but one of them")
    return header, separator


def _not_numeric(path: Path, names: list[str], options: Mapping[str, Any]) -> str:
    """Message about the first entry that is not a number; empty if there is none."""
    row = 0
    for chunk in pd.read_csv(path, dtype=str, chunksize=_ROWS, **options):
        texts = chunk[names]
        bad = pd.DataFrame({name: pd.to_numeric(texts[name], errors="coerce") for name in names}).isna() & texts.notna()
        if bad.to_numpy().any():
            line, column = np.argwhere(bad.to_numpy())[0]
            return _no_feature(path, names[column], f"{texts.iat[line, column]!r} in row {row + line + 1}")
        row += len(chunk)
    return ""


def _no_feature(path: Path, name: str, why: str) -> str:
    return (
        f"{path}: column {name} is not numeric ({why}): if it is not a feature, list it under `not_features`, or "
        "choose the features by `features`"
    )


def _read_parquet(path: Path, columns: Columns) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        keys = columns.keys_in(schema.names, path)
        chosen = columns.features_in([name for name in schema.names if name not in keys], path)
        others = [name for name in schema.names if name not in chosen and not INDEX.fullmatch(name)]
        names: list[str] = []
        values = np.empty((0, 0), np.float32)
        start = 0
        for batch in file.iter_batches(_ROWS, columns=chosen):
            part = [_numbers(batch.column(name), name, path) for name in chosen]
            if not start:
                names = [name for column, numbers in zip(chosen, part, strict=True) for name in _wide(column, numbers)]
                values = np.empty((file.metadata.num_rows, len(names)), np.float32)
            if sum(numbers.shape[1] for numbers in part) != len(names):
                raise ValueError(f"{path}: the lists of a column have different lengths")
            np.concatenate(part, axis=1, out=values[start : start + len(batch)])
            start += len(batch)
        metadata = file.read(columns=others).to_pandas(ignore_metadata=True) if others else pd.DataFrame()
    except pa.ArrowException as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from error
    return metadata, names, values


def _wide(column: str, numbers: np.ndarray) -> list[str]:
    return [column] if numbers.shape[1] == 1 else [f"{column}_{i}" for i in range(numbers.shape[1])]


def _numbers(column: Any, name: str, path: Path) -> np.ndarray:
    """Values of an Arrow array (N,) of numbers, or of lists of equal length, as (N, length) float32."""
    import pyarrow as pa

    kind, width = column.type, 1
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = np.unique(np.asarray(column.value_lengths()))
        if len(lengths) != 1 or column.null_count:
            raise ValueError(f"{path}: the lists of the column {name} have different lengths")
        column, width = column.flatten(), int(lengths[0])
        kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise ValueError(_no_feature(path, name, str(kind)))
    return column.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False).reshape(-1, width)


def _table_beside(path: Path) -> Path:
    for suffix in (".csv", ".tsv", ".parquet"):
        if (table := path.with_suffix(suffix)).is_file():
            return table
    raise FileNotFoundError(
        f"{path} is a matrix without keys: put a table with one row per row of the matrix beside it as "
        f"{path.with_suffix('.csv').name}, or name the table by `rows`"
    )


def _read_matrix(path: Path, rows: Path, columns: Columns) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a matrix of numbers: {error}") from error
    if stored.ndim != 2 or stored.dtype.kind not in "fiub":
        raise ValueError(
            f"{path} must be a matrix (rows, features) of numbers, but is an array of {stored.dtype} and shape "
            f"{stored.shape}"
        )
    if rows.suffix == ".parquet":
        metadata = pd.read_parquet(rows).reset_index(drop=True)
    else:
        metadata = read_columns(rows, _TEXTS.get(rows.suffix, ","))
    metadata = metadata.rename(columns=lambda name: str(name).strip())
    if len(metadata) != len(stored):
        raise ValueError(f"{path} has {len(stored)} rows, but {rows} has {len(metadata)}: row i of both must agree")
    names = [f"{path.stem}_{i}" for i in range(stored.shape[1])]
    chosen = columns.features_in(names, path)
    positions = slice(None) if len(chosen) == len(names) else np.flatnonzero(np.isin(names, chosen))
    values = np.empty((len(stored), len(chosen)), np.float32)
    for start in range(0, len(stored), _ROWS):
        values[start : start + _ROWS] = stored[start : start + _ROWS, positions]
    return metadata, chosen, values

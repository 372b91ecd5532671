"""Text tables that come with a screen."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def read_table(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table as text, cells as they are written (an empty cell is an empty string).

    Parameters
    ----------
    path
        ``.csv`` (comma), ``.tsv`` or ``.txt`` (tab), each also with ``.gz``.
    columns
        Columns it must have.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, of another kind or malformed, or lacks a column.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _SEPARATORS:
        raise ValueError(f"{path}: a table is expected as {', '.join(_SEPARATORS)}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}; put it there, or correct its name in params:ingestion")
    try:
        table = pd.read_csv(path, sep=_SEPARATORS[suffix], dtype=str, keep_default_na=False)
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the cells beyond the header for an index
        raise ValueError(f"{path} cannot be read as a table: its lines have more cells than its header")
    if missing := [column for column in columns if column not in table]:
        raise ValueError(
            f"{path} has no column {', '.join(missing)} (there are {', '.join(table.columns)}); "
            "add it, or name another column in params:ingestion"
        )
    # A short line leaves cells that are missing altogether: the same as empty here.
    return table.fillna("")

"""Reading of a screen's text tables."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def read_table(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table as text. Numbers are not converted, and an empty cell is an empty string.

    Parameters
    ----------
    path
        ``.csv`` (comma), ``.tsv`` or ``.txt`` (tab), each also with ``.gz``.
    columns
        Columns that the table must have.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, has another suffix or is malformed, or if a column is missing.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _SEPARATORS:
        raise ValueError(f"{path} is not a table; its suffix must be one of {', '.join(_SEPARATORS)}")
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
    # If lines have more cells than the header, pandas makes an index of the first cells.
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{path} cannot be read as a table: its lines have more cells than its header")
    if missing := [column for column in columns if column not in table]:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; its columns are {', '.join(table.columns)}. "
            "Add the column, or name another one in params:ingestion"
        )
    return table.fillna("")  # pandas gives NaN for cells that a short line lacks

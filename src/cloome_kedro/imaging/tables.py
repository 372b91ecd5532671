"""Reading of a screen's tables, whatever program has written them."""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import logging
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

logger = logging.getLogger(__name__)

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_SUFFIXES = (*_SEPARATORS, ".parquet")
_UNPACK: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_ERRORS = (ValueError, csv.Error, EOFError, OSError, zlib.error, lzma.LZMAError)
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16, so it stands before it
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEP_LINE = re.compile(r'\s*"?sep=(.)"?[;,\t ]*\n', re.IGNORECASE)  # Excel writes it before the header


def read_table(
    path: Path, columns: Iterable[str] = (), settings: Mapping[str, str] | None = None, *, unique: bool = False
) -> pd.DataFrame:
    """Read a table as text. Numbers are not converted, and an empty cell is an empty string.

    Separator and encoding are recognised. Rows without any content and repeated headers are left out.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt``, each also compressed by gzip, bzip2 or xz, or ``.parquet``.
    columns
        Columns that the table must have.
    settings
        ``{column: parameter}``: the parameter that gives the name of a column, for messages.
    unique
        Whether all columns must have different names. Otherwise only ``columns`` must.

    Returns
    -------
    Table whose index gives the line of each row in the file (name ``line``; the first line is 1). For parquet, it gives
    the row (name ``row``; the first row is 1). ``attrs["separator"]`` is the separator of a table of text.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, has another suffix, is malformed or has no rows, or if a column is missing.
    """
    columns = list(columns)
    suffix = _suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}; put it there, or correct its name in the configuration")
    try:
        if suffix == ".parquet":
            table, how = _as_text(pd.read_parquet(path)), "parquet"
        else:
            table, how = _read_text(path, _SEPARATORS[suffix], columns, unique)
    except _ERRORS as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error
    if missing := [column for column in columns if column not in table]:
        keys = [f"`{settings[column]}`" for column in missing if settings and column in settings]
        advice = f"Set {' and '.join(dict.fromkeys(keys))} to the name of the column, or add" if keys else "Add"
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; its columns are {', '.join(table.columns)} ({how}). {advice} "
            "the column"
        )
    if table.empty:
        raise ValueError(f"{path} has a header but no rows; write the table again, or delete the file")
    return table


def read_head(path: Path, size: int = 1 << 20) -> pd.DataFrame:
    """Read the first rows of a table, as `read_table` does, so that a large table is looked at in no time.

    Parameters
    ----------
    path
        As for `read_table`.
    size
        Bytes of text that are read, after decompression. Of a parquet file, the first 1,000 rows are read.

    Raises
    ------
    ValueError
        If the file is no table, or cannot be read. A table can have no rows.
    """
    suffix = _suffix(path)
    try:
        if suffix != ".parquet":
            return _read_text(path, _SEPARATORS[suffix], [], False, size)[0]
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as table:
            return _as_text(next(table.iter_batches(1000), table.schema_arrow.empty_table()).to_pandas())
    except _ERRORS as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error


def place(table: pd.DataFrame | pd.Series, position: int) -> str:
    """Say where a row of a table stands in its file: ``line 3``.

    A table that `read_table` has not read is taken to have its header on line 1 and a row on each line after it.
    """
    if table.index.name in ("line", "row"):
        return f"{table.index.name} {table.index[position]}"
    return f"line {position + 2}"


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table of text from a table of parquet, with the numbers of its rows."""
    texts = {}
    for name, values in table.items():
        if pd.api.types.is_float_dtype(values) and values.dropna().mod(1).eq(0).all():
            values = values.astype("Int64")  # an empty cell made floats of whole numbers
        texts[str(name)] = values.astype(object).map(str, na_action="ignore").astype(object).where(values.notna(), "")
    rows = pd.RangeIndex(1, len(table) + 1, name="row")
    return pd.DataFrame({name: text.to_numpy() for name, text in texts.items()}, index=rows, dtype=str)


def _suffix(path: Path) -> str:
    suffix = Path(re.sub(r"\.(gz|bz2|xz)$", "", path.name.lower())).suffix
    if suffix not in _SUFFIXES:
        raise ValueError(
            f"{path} is not a table; its suffix must be one of {', '.join(_SUFFIXES)}. Save a sheet of Excel as CSV"
        )
    return suffix


def _read_text(
    path: Path, usual_separator: str, columns: list[str], unique: bool, size: int = -1
) -> tuple[pd.DataFrame, str]:
    """Read a table of text, or the rows that end in its first ``size`` bytes. Also say how it was read."""
    with path.open("rb") as file:
        mark = file.read(6)
        file.seek(0)
        stream = next((unpack(file) for start, unpack in _UNPACK.items() if mark.startswith(start)), file)
        data = stream.read(size)
        is_cut = bool(stream.read(1))
    text, encoding = _decode(data, is_cut)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    skipped, separator = 0, None
    if match := _SEP_LINE.match(text):
        skipped, separator = match[0].count("\n"), match[1]
        text = text[match.end() :]
    skipped += len(text) - len(text := text.lstrip("\n"))
    if not text.strip():
        raise ValueError("it is empty")
    text = text.rstrip("\n") + "\n"
    separator = separator or _separator(text, usual_separator, columns)
    if is_cut:
        text = _without_last_row(text, separator)
    if separator != usual_separator or encoding != "utf-8":
        logger.info("%s is read with the separator %r and the encoding %s", path, separator, encoding)

    buffer = io.StringIO(text)
    reader = csv.reader(buffer, delimiter=separator)
    header = [name.strip() for name in next(reader)]
    table = _parse(buffer, separator, len(header))
    lines = skipped + reader.line_num + 1 + np.arange(len(table))
    if text.count("\n") > reader.line_num + len(table):
        lines += _lines_before(table)
    table.index = pd.Index(lines, name="line")
    if (is_long := table[len(header)].str.strip() != "").any():
        where = place(table, int(is_long.to_numpy().argmax()))
        raise ValueError(f"{where} has more cells than the header; separate {len(header)} cells by {separator!r}")
    table = table.iloc[:, : len(header)]
    table = table[~_is_blank(table)]
    is_header = table[0].str.strip() == header[0]
    is_header[is_header] = (table[is_header].apply(lambda column: column.str.strip()) == header).all(axis=1)
    if is_header.any():
        logger.warning("%s: %d lines that repeat the header are left out", path, is_header.sum())
        table = table[~is_header]
    table = _named(table, header, set(header) if unique else set(columns))
    table.attrs["separator"] = separator
    return table, f"separator {separator!r}, encoding {encoding}"


def likely_encodings(start: bytes) -> list[str]:
    """Encodings that a file of text may have, the most likely first.

    Parameters
    ----------
    start
        First bytes of the file, best 4,096 of them.

    Examples
    --------
    >>> likely_encodings(b"plate,well"), likely_encodings("plate,well".encode("utf-16"))
    (['utf-8', 'cp1252', 'latin-1'], ['utf-16'])
    """
    if encodings := [encoding for mark, encoding in _MARKS.items() if start.startswith(mark)][:1]:
        return encodings
    start = start[:4096]
    odd, even = start[1::2].count(0), start[::2].count(0)
    if max(odd, even) > len(start) / 4:  # in UTF-16, every second byte of plain English is 0
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return ["utf-8", "cp1252", "latin-1"]


def _decode(data: bytes, is_cut: bool) -> tuple[str, str]:
    """Text of a file, and its encoding. The data can be cut inside a character, which is then left out."""
    for encoding in likely_encodings(data):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data, final=not is_cut)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise ValueError("it is not text; save it as CSV with the encoding UTF-8")


def _without_last_row(text: str, separator: str) -> str:
    """Text without its last row, which is cut. A row can have several lines."""
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    ends = [reader.line_num for _ in reader]
    if len(ends) < 2:
        raise ValueError(f"its first row has more than {len(text) - 1:,} characters")
    return "".join(itertools.islice(io.StringIO(text), ends[-2]))


def _separator(text: str, usual: str, columns: list[str]) -> str:
    """Separator of a table: the one that gives the most needed columns, or else the one that fits the first rows."""
    head = text[:1_000_000]

    def merit(separator: str) -> tuple[int, bool, bool, int]:
        rows = list(itertools.islice(filter(any, csv.reader(io.StringIO(head), delimiter=separator)), 20))
        header = rows[0] if rows else []
        width = len(header)
        needed = set(columns) & {name.strip() for name in header}
        fits = width > 1 and all(len(row) == width for row in rows)
        return len(needed), fits, separator == usual and width > 1, width

    return max(dict.fromkeys([usual, ",", ";", "\t", "|"]), key=merit)


def _parse(buffer: io.StringIO, separator: str, width: int) -> pd.DataFrame:
    """Rows after the header, with one column more than the header, which is empty if no line is too long."""
    names = list(range(width + 1))
    try:
        table = pd.read_csv(
            buffer, sep=separator, header=None, names=names, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame({name: pd.Series(dtype=str) for name in names})
    # If lines have more cells than `names`, pandas makes an index of the first cells.
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError("its lines have more cells than its header")
    return table.fillna("")  # pandas gives NaN for cells that a short line lacks


def _lines_before(table: pd.DataFrame) -> np.ndarray:
    """Number of line breaks in the quoted cells of the rows before each row."""
    inside = sum((table[name].str.count("\n").to_numpy(int) for name in table), start=np.zeros(len(table), int))
    return np.cumsum(inside) - inside


def _is_blank(table: pd.DataFrame) -> pd.Series:
    blank = table[0].str.strip() == ""
    blank[blank] = (table[blank].apply(lambda column: column.str.strip()) == "").all(axis=1)
    return blank


def _named(table: pd.DataFrame, header: list[str], unique: set[str]) -> pd.DataFrame:
    """Give the columns their names. Columns without a name are left out if they are empty.

    Raises
    ------
    ValueError
        If a column in ``unique`` is there several times, with different contents.
    """
    named: dict[str, pd.Series] = {}
    for i, name in enumerate(header):
        if not name and (table[i].str.strip() == "").all():
            continue
        name = name or f"Unnamed: {i}"
        if name not in named:
            named[name] = table[i]
        elif not table[i].equals(named[name].rename(i)):
            if name in unique:
                raise ValueError(f"it has several columns {name} with different contents; rename all but one of them")
            named[f"{name}.{i}"] = table[i]
    return pd.DataFrame(named, index=table.index)

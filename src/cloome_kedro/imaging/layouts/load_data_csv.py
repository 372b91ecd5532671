"""LoadData tables of CellProfiler, such as those of the Cell Painting Gallery.

A table has one row per field. Columns give its plate, well and site, such as ``Metadata_Plate``, ``Metadata_Well`` and
``Metadata_Site``. Other usual names are recognised, and ``columns`` of the source names columns that are not. The wells
can also be given by a column of rows and one of columns.

The images of a channel are given by ``FileName_<Channel>`` and ``PathName_<Channel>``, or by ``URL_<Channel>``. Beside
``FileName_Orig<Channel>``, as in tables of the Broad Institute, other images of the same channel are ignored unless
``channels`` of the source names them. Illumination functions are no images; :func:`list_functions` lists them.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import canonical
from cloome_kedro.imaging.columns import find_column
from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.imaging.plate_choice import find_files
from cloome_kedro.imaging.remote import is_remote, join
from cloome_kedro.imaging.sources import Place, Source
from cloome_kedro.imaging.tables import place, read_table
from cloome_kedro.imaging.wells import letters_of_row, parse_wells

logger = logging.getLogger(__name__)

_FILES = ("**/load_data.csv", "**/load_data.csv.gz", "**/load_data.parquet")
_TABLE = re.compile(r"load_data.*\.(csv|csv\.gz|parquet)", re.IGNORECASE)
_BUCKETS = ("s3://", "s3a://")
_IMAGE = re.compile(r"(?:Image_)?(FileName|PathName|URL)_(?!Illum)(.+)", re.IGNORECASE)
_FUNCTION = re.compile(r"(?:Image_)?(FileName|PathName|URL)_Illum(.+)", re.IGNORECASE)


def read(folder: Path, source: Source) -> pd.DataFrame:
    """Read all tables that match ``source.files``; see `cloome_kedro.imaging.layouts.read_layout`.

    A row with a bad plate, well or site has the reason in the column ``reason``.
    """
    tables = _tables(folder, source)
    if source.files and (missing := source.files.count("\n") + 1 - len(tables)) > 0:
        logger.warning("source %s: %d of the plates that it names have no LoadData table", source.name, missing)
    return pd.concat([_read_one(table, folder, source) for table in tables], ignore_index=True)


def list_functions(folder: Path, source: Source) -> pd.DataFrame:
    """List the illumination functions of a source.

    They are in the columns ``FileName_Illum<Channel>`` and ``PathName_Illum<Channel>``, or ``URL_Illum<Channel>``.

    Returns
    -------
    Table with the columns plate, channel (one of the five) and path, without duplicates.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no table, or a table has no such columns or no column of plates.
    """
    parts = []
    for path in _tables(folder, source):
        table = read_table(path, unique=True)
        functions = _by_channel(table, _FUNCTION)
        functions = {name: columns for name, columns in functions.items() if canonical(name, source.channels)}
        if not functions:
            raise ValueError(
                f"{path} has no column FileName_Illum<Channel>, which gives the illumination functions; its columns "
                f"are {', '.join(table.columns)}. Correct `files` of the source {source.name} if it should read "
                "another table, such as load_data_with_illum.csv, or set `files` of storage.illumination"
            )
        plate_column = _column(table, path, source, "plate")
        plates = table[plate_column].str.strip() if plate_column else pd.Series(source.plate, index=table.index)
        for name, columns in functions.items():
            paths = _paths(table, columns, (folder, path.parent))
            rows = pd.DataFrame({"plate": plates, "channel": canonical(name, source.channels), "path": paths})
            parts.append(rows[paths != ""].drop_duplicates())
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)


def _tables(folder: Path, source: Source) -> list[Path]:
    patterns = (source.files,) if source.files else _FILES
    tables = next((paths for pattern in patterns if (paths := list(find_files(folder, pattern)))), [])
    if not tables:
        names = " or ".join(pattern.partition("\n")[0] for pattern in patterns)
        raise FileNotFoundError(f"there is no LoadData table {names} below {folder}; correct `files` of this source")
    return tables


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise the layout, see `cloome_kedro.imaging.layouts.recognition`. It explains tables and all images."""
    tables = [name for name in names if _TABLE.fullmatch(name.rpartition("/")[2])]
    if not tables:
        return None
    endings = {name.rpartition("/")[2] for name in tables}
    usual = next((pattern for pattern in _FILES if pattern.rpartition("/")[2] in endings), None)
    files = usual or f"**/{min(endings)}"
    images = sum(name.lower().endswith((".tif", ".tiff", ".png")) for name in names)
    chosen = [name for name in tables if name.endswith(files.removeprefix("**/"))]
    return Recognised("load_data_csv", len(chosen) + images, {} if usual else {"files": files}, chosen[0])


def _read_one(path: Path, folder: Path, source: Source) -> pd.DataFrame:
    table = read_table(path, unique=True)
    channels = _channels(table, path, source)
    fields = _fields(table, path, source)
    images = []
    for channel, columns in channels.items():
        paths = _paths(table, columns, (folder, path.parent))
        images.append(fields.assign(channel=channel, path=paths)[paths != ""])
    return pd.concat(images, ignore_index=True)


def _channels(table: pd.DataFrame, path: Path, source: Source) -> dict[str, dict[str, str]]:
    channels = _by_channel(table, _IMAGE)
    if not channels:
        raise ValueError(
            f"{path} has no column FileName_<Channel> or URL_<Channel>, which give the images; its columns are "
            f"{', '.join(table.columns)}. Add them, or correct `files` of this source if it reads another table"
        )
    original = {name for name in channels if name.lower().startswith("orig")}
    covered = {canonical(name, source.channels) for name in original}
    used = original | {name for name in channels if canonical(name, source.channels) not in covered}
    return {name: columns for name, columns in channels.items() if name in used | set(source.channels)}


def _by_channel(table: pd.DataFrame, pattern: re.Pattern[str]) -> dict[str, dict[str, str]]:
    """``{channel: {filename, pathname or url: column}}``."""
    channels: dict[str, dict[str, str]] = {}
    for column in table.columns:
        if match := pattern.fullmatch(column):
            channels.setdefault(match[2], {})[match[1].lower()] = column
    return {name: columns for name, columns in channels.items() if {"filename", "url"} & set(columns)}


def _fields(table: pd.DataFrame, path: Path, source: Source) -> pd.DataFrame:
    """Plate, well and site of each row, and the reason why it cannot be used."""
    columns = {kind: _column(table, path, source, kind) for kind in get_args(Place)}
    plate_column, well_column, site_column = columns["plate"], columns["well"], columns["site"]
    if {"row", "column"} <= set(source.columns):
        well_column = None
    reasons = []

    if plate_column is not None:
        plates = table[plate_column].str.strip()
        reasons.append((plates == "", plate_column, plates, "is empty; write the name of the plate"))
    elif source.plate:
        plates = pd.Series(source.plate, index=table.index)
    else:
        raise _missing(table, path, "plate", ", or set `plate` of this source")

    if well_column is not None:
        written = table[well_column].str.strip()
        wells = parse_wells(written)
        reasons.append((wells.isna(), well_column, written, "is not a well; write it like D08"))
    elif columns["row"] is not None and columns["column"] is not None:
        rows, numbers = table[columns["row"]].str.strip(), table[columns["column"]].str.strip()
        written = rows + "-" + numbers
        wells = parse_wells(rows.map(letters_of_row) + numbers.str.removesuffix(".0"))
        name = f"{columns['row']} and {columns['column']}"
        reasons.append((wells.isna(), name, written, "are not a well; count rows and columns from 1, or write B and 3"))
    else:
        raise _missing(table, path, "well", "")

    if site_column is not None:
        site_text = table[site_column].str.strip()
        sites = pd.to_numeric(site_text, errors="coerce")
        is_site = sites.ge(0) & sites.mod(1).eq(0)
        reasons.append((~is_site, site_column, site_text, "is not a whole number; write 0, 1, 2, ..."))
        sites = sites.where(is_site).astype("Int64").astype(object).where(is_site, site_text)
    else:
        logger.warning(
            "%s has no column of sites (`columns: {site: ...}` of the source %s names it): the fields of a well are "
            "numbered in the order of the rows",
            *(path, source.name),
        )
        sites = (table.groupby([plates, wells.fillna("")]).cumcount() + 1).astype(object)

    reason = pd.Series(None, index=table.index, dtype=object)
    for is_bad, column, values, problem in reasons:
        for i in np.flatnonzero(is_bad & reason.isna()).tolist():
            reason.iloc[i] = f"{path}, {place(table, i)}: {column} {values.iloc[i]!r} {problem}"
    return pd.DataFrame({"plate": plates, "well": wells.fillna(written), "site": sites, "reason": reason})


def _column(table: pd.DataFrame, path: Path, source: Source, kind: Place) -> str | None:
    if (named := source.columns.get(kind)) is None:
        if kind == "plate" and source.plate:  # only the usual column has precedence over a name in the configuration
            return "Metadata_Plate" if "Metadata_Plate" in table else None
        return find_column(table.columns, kind)
    if named not in table:
        raise ValueError(
            f"{path} has no column {named}, which `columns` of the source {source.name} names for {kind}; its columns "
            f"are {', '.join(table.columns)}"
        )
    return named


def _missing(table: pd.DataFrame, path: Path, kind: str, otherwise: str) -> ValueError:
    return ValueError(
        f"{path} has no column Metadata_{kind.capitalize()} or with another usual name; its columns are "
        f"{', '.join(table.columns)}. Name it by `columns: {{{kind}: ...}}` of this source{otherwise}"
    )


def _paths(table: pd.DataFrame, columns: dict[str, str], roots: tuple[Path, Path]) -> pd.Series:
    """Path of the image of each row, or an empty text."""
    if "filename" in columns:
        written = names = table[columns["filename"]].str.strip()
        if "pathname" in columns:
            folders = table[columns["pathname"]].str.strip()
            is_whole = (folders == "") | (names == "") | names.str.match(r"/|\\\\|\w+:")
            written = names.where(is_whole, folders + "/" + names)
    else:
        written = table[columns["url"]].str.strip().map(_path_of_url).astype(str)
    parts = written.str.replace("\\", "/").str.rpartition("/")
    first_names = parts.drop_duplicates(0).set_index(0)[2]
    resolved = {name: _resolve(str(name), roots, first) for name, first in first_names.items()}
    folders_of = {name: f"{folder}{'/' if is_remote(folder) else os.sep}" for name, folder in resolved.items()}
    return (parts[0].map(folders_of) + parts[2]).where(parts[2] != "", "")


def _path_of_url(url: str) -> str:
    """Path that a URL gives, with the name of a server as its first folder; an address of S3 as it is."""
    if not re.match(r"[a-z][a-z0-9+]+:", url, re.IGNORECASE) or url.lower().startswith(_BUCKETS):
        return url
    parts = urlsplit(url)
    return unquote(re.sub(r"^/+(?=\w:)", "", parts.path) if parts.scheme == "file" else parts.netloc + parts.path)


def _resolve(name: str, roots: tuple[Path, Path], file: str) -> Path:
    """Find the folder that a table calls ``name``, which may be a path on another machine.

    If the path does not exist, its longest end that is a folder below the source's folder is returned, or else below
    the folder of the table. Files without a folder are beside the table if ``file`` is there. An address on a server is
    used if there is no such folder.
    """
    folder, folder_of_table = roots
    if is_remote(name):
        address = join(folder, name)
        if is_remote(folder) and f"{address}/".startswith(f"{folder}/"):
            return address
        path_in_bucket = name.partition("://")[2]
        return next((path for root in roots for path in _candidates(path_in_bucket, root) if path.is_dir()), address)
    if not name:
        return folder_of_table if (folder_of_table / file).exists() and not (folder / file).exists() else folder
    return next((path for root in roots for path in _candidates(name, root) if path.is_dir()), folder / name)


def _candidates(name: str, root: Path) -> Iterator[Path]:
    yield root / name
    parts = [part for part in name.split("/") if part]
    for start in range(len(parts)):
        if ".." not in parts[start:]:
            yield root.joinpath(*parts[start:])

"""Which plates of a source are read, by their names or by a table of plates."""

import fnmatch
import glob
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.columns import find_column
from cloome_kedro.imaging.remote import join
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.tables import read_table

logger = logging.getLogger(__name__)

_FIELD = re.compile(r"\{([^{},]+)\}")


def expand_files(source: Source, screen_folder: Path) -> Source:
    """Replace the names in braces of ``files`` by the plates that are read.

    Parameters
    ----------
    source
        Settings of the source.
    screen_folder
        Folder to which the table of plates is relative.

    Returns
    -------
    The source with one pattern per plate in ``files``, separated by line breaks. ``plates`` has the names of the plates
    that the table of plates chooses.

    Raises
    ------
    FileNotFoundError, ValueError
        If the table or a column is missing, or if it chooses no plate.
    """
    fields = _FIELD.findall(source.files or "")
    if source.plate_table is None:
        if unknown := sorted(set(fields) - {"plate"}):
            raise ValueError(
                f"source {source.name}: `files` has {{{unknown[0]}}}, which is a column of a table of plates. Set "
                "`plate_table` of this source, or use {plate}"
            )
        if not fields:
            return source
        patterns = [str(source.files).replace("{plate}", plate) for plate in source.plates or ("*",)]
        return replace(source, files="\n".join(patterns))
    rows = _chosen_rows(source, screen_folder)
    if fields:
        patterns = [_filled(str(source.files), row) for row in rows]
        source = replace(source, files="\n".join(dict.fromkeys(patterns)))
    return replace(source, plates=tuple(glob.escape(row["plate"]) for row in rows))


def _filled(pattern: str, row: dict[str, str]) -> str:
    return _FIELD.sub(lambda match: glob.escape(row[match[1]]), pattern)


def _chosen_rows(source: Source, screen_folder: Path) -> list[dict[str, str]]:
    """Rows of the table of plates that are used. Its column of plates has the name ``plate``, too."""
    assert source.plate_table is not None
    path, where = join(screen_folder, source.plate_table.table), source.plate_table.where
    fields = [field for field in _FIELD.findall(source.files or "") if field != "plate"]
    named = source.plate_table.plate_column
    table = read_table(path, [*where, *fields, *filter(None, [named])])
    if (column := named or find_column(table.columns, "plate")) is None:
        raise ValueError(
            f"{path} has no column of plates; its columns are {', '.join(table.columns)}. Name it by "
            "`plate_table.plate_column`"
        )
    table = table.apply(lambda cells: cells.str.strip())
    is_used = pd.Series(True, index=table.index)
    for name, values in where.items():
        is_used &= table[name].isin(values)
    if source.plates:
        is_used &= table[column].map(lambda plate: _matches(plate, source.plates))
    if not is_used.any():
        settings = ", ".join(f"{name} {' or '.join(values)}" for name, values in where.items()) or "any property"
        names = f" among {', '.join(source.plates)}" if source.plates else ""
        raise ValueError(
            f"source {source.name}: {path} has no plate with {settings}{names}; correct `plate_table.where` or `plates`"
        )
    used = table[is_used].head(source.plate_table.first or len(table))
    logger.info("source %s: %d of the %d plates in %s are read", source.name, len(used), len(table), path)
    return used.assign(plate=used[column]).to_dict("records")


def keep_plates(images: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Keep the images of the plates that the source names.

    Raises
    ------
    ValueError
        If no plate is left.
    """
    if not source.plates:
        return images
    plates = images["plate"].unique().tolist()
    kept = {plate for plate in plates if _matches(str(plate), source.plates)}
    if not kept:
        raise ValueError(
            f"source {source.name}: `plates` names {', '.join(source.plates[:5])}, but the plates of its files are "
            f"{', '.join(map(str, plates[:5]))}"
        )
    logger.info("source %s: %d of %d plates are read", source.name, len(kept), len(plates))
    if unmatched := [name for name in source.plates if not any(_matches(plate, (name,)) for plate in kept)]:
        logger.warning(
            "source %s: its files have no plate %s; correct `plates` or `plate_table`",
            *(source.name, ", ".join(unmatched[:5]) + (", ..." if len(unmatched) > 5 else "")),
        )
    return images[images["plate"].isin(kept)]


def find_files(folder: Path, files: str) -> Iterator[Path]:
    """Yield the files that match one of the patterns of `expand_files`, in their order."""
    found = {path: None for pattern in files.split("\n") for path in sorted(folder.glob(pattern))}
    yield from found


def _matches(plate: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(plate, pattern) for pattern in patterns)

"""Find the tables of a screen, and say what each of them is: platemap, barcodes, compounds, labels or profiles."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from cloome_kedro.imaging.columns import find_column
from cloome_kedro.imaging.discovery.sources import list_names
from cloome_kedro.imaging.tables import read_head
from cloome_kedro.imaging.wells import parse_wells
from cloome_kedro.missing import is_missing

logger = logging.getLogger(__name__)

Role = Literal["platemap", "plates", "barcodes", "compounds", "labels", "label list", "profiles", "images", ""]

#: names of tables, and of spreadsheets, which are not read, so that the user is told to save them as CSV
_TABLE = re.compile(r"\.((csv|tsv|txt|parquet)(\.(gz|bz2|xz))?|xlsx?|ods)$", re.IGNORECASE)
_KINDS = ("plate", "well", "site", "compound", "smiles", "inchikey", "name", "moa", "concentration", "control")
#: names of columns that new-screen takes in addition, since the user sees and confirms them
_MORE = {
    "compound": ("broadid", "treatment", "drug", "drugid", "pertid", "sampleid", "sample", "molecule", "molid"),
    "name": ("drugname", "treatmentname", "pertname"),
    "moa": ("mechanisms", "moabroad"),
    "concentration": ("doseum", "dosenm", "dosemm", "concum", "concnm", "concmm", "conc"),
    "platemap": ("platemapname", "platemap", "platemapid", "platelayout", "layout"),
}
_FEATURES = 40  # columns of numbers from which a table is one of profiles
_LABELS = {"0", "1", "-1", "0.0", "1.0", "-1.0", "", "true", "false", "active", "inactive", "nan"}


@dataclass(frozen=True)
class FoundTable:
    """A table, by its first rows.

    Attributes
    ----------
    path
        The file.
    role
        What it is: ``platemap`` (wells of one kind of plate), ``plates`` (wells of several plates), ``barcodes``,
        ``compounds``, ``labels`` (wide, one column per assay), ``label list`` (one row per compound and assay),
        ``profiles``, ``images`` (LoadData) or nothing of these.
    columns
        What is described -> name of its column.
    head
        First rows, as text.
    """

    path: Path
    role: Role
    columns: dict[str, str]
    head: pd.DataFrame = field(repr=False, compare=False)

    @property
    def names(self) -> list[str]:
        """Names of its columns."""
        return [str(name) for name in self.head]

    @property
    def others(self) -> list[str]:
        """Names of the columns that describe nothing of a well or compound."""
        return [name for name in self.names if name not in self.columns.values()]


def find_tables(places: Iterable[Path], warn: Callable[[str], object] = logger.warning) -> list[FoundTable]:
    """Look at the tables of some folders and files.

    Parameters
    ----------
    places
        Folders, which are searched with their subfolders, and files.
    warn
        Gets a message for each file in a folder that has the suffix of a table, but cannot be read. It is left out.

    Raises
    ------
    FileNotFoundError
        If a place does not exist.
    ValueError
        If a file is named, but is no table or cannot be read.
    """
    found = {}
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"there is no {place}; correct the name of the folder or table")
        if place.is_file():
            found[place.resolve()] = look_at(place)
            continue
        names = [name for name in list_names(place) if _TABLE.search(name)]
        for path in sorted(path for name in names if (path := place / name).is_file()):
            try:
                found[path.resolve()] = look_at(path)
            except ValueError as error:
                warn(str(error))
    return list(found.values())


def look_at(path: Path) -> FoundTable:
    """Say what a table is, by its columns and first rows.

    Raises
    ------
    ValueError
        If it is no table or cannot be read.
    """
    head = read_head(path)
    columns = {kind: column for kind in _KINDS if (column := usual_column(head.columns, kind))}
    if platemap := usual_column(head.columns, "platemap"):
        columns["platemap"] = platemap
    return FoundTable(path, _role(head, columns), columns, head)


def find_matrix(tables: Sequence[FoundTable]) -> dict[str, Path] | None:
    """Find a matrix of labels (``.mtx``) beside two tables, one of compounds and one of assays; None if there is none.

    Returns
    -------
    ``filepath``, ``rows`` and ``columns``, as `cloome_kedro.datasets.label_matrix.LabelMatrix` has them.
    """
    rows = [table.path for table in tables if {"INDEX", "INCHIKEY"} <= set(table.names)]
    columns = [table.path for table in tables if "ASSAY_ID" in table.names]
    for row in rows:
        matrices = sorted(row.parent.glob("*.mtx"))
        beside = [column for column in columns if column.parent == row.parent]
        if len(matrices) == 1 and len(beside) == 1:
            return {"filepath": matrices[0], "rows": row, "columns": beside[0]}
    return None


def usual_column(names: Iterable[str], kind: str) -> str | None:
    """Column of one kind of information, by its usual names and by some more.

    >>> usual_column(["Metadata_Plate_Map_Name", "Assay_Plate_Barcode"], "platemap")
    'Metadata_Plate_Map_Name'
    """
    names = list(names)
    if kind != "platemap" and (column := find_column(names, kind)):
        return column
    plain = {
        re.sub(r"[^a-z0-9]", "", name.lower().replace("µ", "u").replace("μ", "u")).removeprefix("metadata"): name
        for name in reversed(names)
    }
    return next((plain[name] for name in _MORE.get(kind, ()) if name in plain), None)


def _role(head: pd.DataFrame, columns: dict[str, str]) -> Role:
    names = [str(name) for name in head]
    if any(re.match(r"(Image_)?(FileName|URL)_", name, re.IGNORECASE) for name in names):
        return "images"
    has_key = bool({"compound", "smiles", "inchikey"} & set(columns))
    others = [name for name in names if name not in columns.values()]
    if len(others) >= 2 and {"smiles", "inchikey", "compound"} & set(columns) and "well" not in columns:
        assays = [name for name in others if head[name].str.strip().str.lower().isin(_LABELS).all()]
        if len(assays) >= max(2, 0.8 * len(others)):
            return "labels"
    if len(others) >= _FEATURES and len(numeric_columns(head, others)) >= _FEATURES:
        return "profiles"
    if has_key and "well" not in columns and find_column(names, "assay") and find_column(names, "value"):
        return "label list"
    if "well" in columns and (has_key or "name" in columns) and parse_wells(head[columns["well"]]).notna().mean() > 0.5:
        return "plates" if "plate" in columns else "platemap"
    if "platemap" in columns and "plate" in columns:
        return "barcodes"
    if "well" not in columns and {"smiles", "inchikey"} & set(columns) and {"compound", "name"} & set(columns):
        return "compounds"
    return ""


def numbers_of_labels(table: FoundTable) -> str | None:
    """Column of values of a long table of labels, if they are numbers that need a threshold; otherwise None."""
    column = find_column(table.names, "value")
    if column is None or table.head[column].str.strip().str.lower().isin(_LABELS).all():
        return None
    return column if numeric_columns(table.head, [column]) else None


def numeric_columns(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns whose first rows are numbers or empty, at least one of them with a fraction."""
    numbers = []
    for name in names:
        text = table[name].head(20)
        values = pd.to_numeric(text.where(~is_missing(text)), errors="coerce")
        if values.notna().any() and values.notna().sum() == (~is_missing(text)).sum():
            numbers.append(name)
    return numbers

"""Rows of a table of features for the rows of a table of fields or compounds."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cloome_kedro.learning.views.base import Rows, Table
from cloome_kedro.learning.views.features import Features

#: what a row of features can be of, the narrowest first -> columns that identify it, beside ``screen``
KEYS = {
    "field_id": ("field_id",),
    "site": ("plate", "well", "site"),
    "well": ("plate", "well"),
    "inchikey": ("inchikey",),
}
Key = Literal["field_id", "site", "well", "inchikey"]
Duplicates = Literal["error", "first", "mean"]
_ROWS = 8192  # rows that are looked through at once


def choose_key(features: Features) -> Key:
    """The key of a table of features that has only one kind.

    Raises
    ------
    ValueError
        If the table has none, or has keys of fields and of compounds.
    """
    possible: list[Any] = [key for key, columns in KEYS.items() if set(columns) <= set(features.metadata)]
    if not possible:
        raise ValueError(f"{features.source} has no key: it needs field_id, plate and well, or inchikey")
    if "inchikey" in possible and len(possible) > 1:
        raise ValueError(
            f"{features.source} has keys of fields and of compounds: set `key` of the view to one of "
            f"{', '.join(possible)}"
        )
    return possible[0]


def key_texts(table: Table, columns: tuple[str, ...], source: str) -> np.ndarray:
    """Keys of rows as text (n,), with parts joined by ``/``; empty where a part is missing.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if missing := [name for name in columns if name not in table]:
        raise ValueError(
            f"{source} has no column {missing[0]}, by which rows of features are found: set `key` of the view to one "
            f"of {', '.join(KEYS)} that fits"
        )
    parts = [np.asarray(table[name]).astype(object) for name in columns]
    texts = [["" if value is None or value != value else str(value) for value in part] for part in parts]
    return np.array(["/".join(row) if all(row) else "" for row in zip(*texts, strict=True)], object)


def key_columns(features: Features, key: Key) -> tuple[str, ...]:
    """Columns of a key. With ``site`` and ``well``, the screen counts if the table of features has it."""
    with_screen = key in ("site", "well") and "screen" in features.metadata
    return ("screen", *KEYS[key]) if with_screen else KEYS[key]


@dataclass(frozen=True)
class Found:
    """Rows of features for the rows of another table.

    Attributes
    ----------
    keys : (n,) str
        Keys of the other table.
    rows : (n,) int
        Row of ``values`` for each key; -1 if there is none.
    values : (m, features) float32
        The features. Means of duplicates follow the rows of the file.
    """

    keys: np.ndarray
    rows: np.ndarray
    values: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """(n,) bool: which keys were found."""
        return self.rows >= 0


def find(features: Features, table: Table, key: Key, duplicates: Duplicates = "error", source: str = "table") -> Found:
    """Find the features of each row of a table by a key.

    Parameters
    ----------
    duplicates
        What to do with a key that has several rows of features: raise an error, take the first, or take their mean.
    source
        Name of ``table``, for messages.

    Raises
    ------
    ValueError
        If one of the tables has no such key, or a key occurs several times. The message names it.
    """
    columns = key_columns(features, key)
    wanted, stored = key_texts(table, columns, source), key_texts(features.metadata, columns, features.source)
    first: dict[str, int] = {}
    others: dict[str, list[int]] = {}
    for row, text in enumerate(stored.tolist()):
        if text in first:
            others.setdefault(text, []).append(row)
        else:
            first[text] = row
    first.pop("", None)
    rows = np.fromiter((first.get(text, -1) for text in wanted.tolist()), np.int64, len(wanted))
    values = features.values
    if repeated := list(dict.fromkeys(text for text in wanted.tolist() if text and text in others)):
        if duplicates == "error":
            raise ValueError(
                f"{features.source}: {len(repeated)} keys have several rows, such as {repeated[0]} with "
                f"{1 + len(others[repeated[0]])}: set `duplicates` of the view to first or mean, or remove rows"
            )
        if duplicates == "mean":
            means = [values[[first[text], *others[text]]].mean(axis=0, dtype=float) for text in repeated]
            place = {text: len(values) + i for i, text in enumerate(repeated)}
            values = np.concatenate([values, np.array(means, np.float32)])
            rows = np.fromiter(
                (place.get(text, row) for text, row in zip(wanted.tolist(), rows, strict=True)), np.int64, len(rows)
            )
    return Found(wanted, rows, values)


@dataclass(frozen=True)
class PlateScaling:
    """Median and deviation of the control rows of each plate.

    Attributes
    ----------
    plates : (n,) int
        Row of ``centre`` and ``scale`` for each row of the table.
    centre, scale : (plates, features) float32
    """

    plates: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Reader:
    """Features of rows of a table: positions (B,) -> (B, features) float32. It can be pickled."""

    found: Found
    columns: np.ndarray | None = None
    by_plate: PlateScaling | None = None

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        values = self.found.values[self.found.rows[positions]]
        if self.columns is not None:
            values = values[..., self.columns]
        if self.by_plate is not None:
            plates = self.by_plate.plates[positions]
            values = (values - self.by_plate.centre[plates]) / self.by_plate.scale[plates]
        return values


def feature_rows(reader: Reader, names: tuple[str, ...], source: str, noun: str) -> Rows:
    """Rows of a view from their features.

    Raises
    ------
    ValueError
        If a value is not finite. The message names the feature and the row.
    """
    known = reader.found.known
    digest = hashlib.sha256()
    for positions in _parts(len(known)):
        values = np.zeros((len(positions), len(names)), np.float32)
        seen = known[positions]
        values[seen] = reader(positions[seen])
        if not (finite := np.isfinite(values)).all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"{source}: {names[column]} of {noun} {reader.found.keys[positions[row]]} is {values[row, column]}: "
                "give it a finite value, or remove the row"
            )
        digest.update(values.data)
    digest.update(known.tobytes())
    return Rows(reader, known, f"{names} {digest.hexdigest()}")


def _parts(rows: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, _ROWS):
        yield np.arange(start, min(start + _ROWS, rows))


def as_features(table: Mapping[str, Any], names: tuple[str, ...], source: str) -> Features:
    """Features of the columns of a table of fields.

    Raises
    ------
    ValueError
        If a column is not numeric.
    """
    values = np.empty((len(table["field_id"]), len(names)), np.float32)
    for column, name in enumerate(names):
        numbers = np.asarray(table[name])
        if numbers.dtype.kind not in "fiu":
            raise ValueError(
                f"{source}: column {name} is not numeric: if it is not a feature, its name must begin with Metadata_"
            )
        values[:, column] = numbers
    return Features({"field_id": np.asarray(table["field_id"])}, names, values, source)

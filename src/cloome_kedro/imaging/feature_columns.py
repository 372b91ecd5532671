"""Columns of tables of features: which are keys, and which are features."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.wells import parse_wells

logger = logging.getLogger(__name__)

#: columns that say of what a row is
KEYS = ("field_id", "screen", "plate", "well", "site", "inchikey")
INDEX = re.compile(r"__index_level_\d+__")  # pandas writes it


@dataclass(frozen=True)
class FeatureColumns:
    """Names of columns in a table of features.

    Attributes
    ----------
    keys
        Key, one of :data:`KEYS` -> name of its column. Other keys are recognised by their names, such as ``Plate`` or
        ``Metadata_Plate``.
    features
        Regular expressions. A column is a feature if one of them is found in its name. None: all columns except keys,
        ``Metadata_...`` and ``not_features``.
    not_features
        Regular expressions for columns that are not features.
    """

    keys: Mapping[str, str]
    features: Sequence[str] | None = None
    not_features: Sequence[str] = ()

    def __post_init__(self):
        if unknown := [key for key in self.keys if key not in KEYS]:
            raise ValueError(f"columns: there is no key {unknown[0]}; the keys are {', '.join(KEYS)}")
        for expression in (*(self.features or ()), *self.not_features):
            try:
                re.compile(expression)
            except (re.error, TypeError) as error:
                raise ValueError(f"{expression!r} is not a regular expression: {error}") from error

    def keys_in(self, names: Sequence[str], path: Path) -> dict[str, str]:
        """Find the columns of keys: column -> key.

        Raises
        ------
        ValueError
            If a column of ``keys`` is missing, or several columns could be the same key.
        """
        if missing := [f"{column} ({key})" for key, column in self.keys.items() if column not in names]:
            raise ValueError(
                f"{path} has no column {', '.join(missing)}, which `columns` names; its columns are {listed(names)}"
            )
        columns = {column: key for key, column in self.keys.items()}
        for key in KEYS:
            similar = [name for name in names if name not in columns and _plain(name) == key.replace("_", "")]
            if key in self.keys or not similar:
                continue
            column = key if key in similar else similar[0]
            if len(similar) > 1 and column != key:
                raise ValueError(
                    f"{path}: the columns {' and '.join(similar)} could both be the {key}: choose one by `columns: "
                    f"{{{key}: {similar[0]}}}`"
                )
            if column != key:
                logger.info("%s: the column %s is taken as %s", path, column, key)
            columns[column] = key
        return columns

    def features_in(self, names: Iterable[str], path: Path) -> list[str]:
        """Choose the features among the columns that are not keys.

        Raises
        ------
        ValueError
            If no column is a feature.
        """
        others = [name for name in names if name not in KEYS and not INDEX.fullmatch(name)]
        if self.features is None:
            chosen = [name for name in others if not name.startswith("Metadata_")]
        else:
            chosen = [name for name in others if any(re.search(expression, name) for expression in self.features)]
        chosen = [name for name in chosen if not any(re.search(expression, name) for expression in self.not_features)]
        if not chosen:
            raise ValueError(
                f"{path} has no feature among the columns {listed(others)}: correct `features` or `not_features`, "
                "which are regular expressions"
            )
        return chosen


def canonical_keys(metadata: pd.DataFrame, columns: FeatureColumns, path: Path) -> pd.DataFrame:
    """Give keys their names and their form: text without outer spaces, wells like D08, numbers without decimals.

    Raises
    ------
    ValueError
        If there is no key, or an entry is not a well.
    """
    keys = columns.keys_in([str(name) for name in metadata], path)
    if not set(keys.values()) & {"field_id", "well", "inchikey"}:
        raise ValueError(
            f"{path} has no key: it needs a column field_id, columns plate and well, or a column inchikey. Name them "
            f"by `columns`, such as `columns: {{plate: Barcode, well: Position}}`. Its columns are {listed(metadata)}"
        )
    clash = [key for column, key in keys.items() if column != key and key in metadata and key not in keys]
    table = metadata.drop(columns=clash).rename(columns=keys)
    for key in keys.values():
        texts = texts_of(table[key])
        if key == "well":
            wells = parse_wells(texts)
            if (bad := wells.isna() & (texts != "")).any():
                raise ValueError(f"{path}: {texts[bad].iloc[0]!r} is not a well; write it like D08")
            texts = wells.fillna("")
        table[key] = texts.to_numpy(object)
    return table.reset_index(drop=True)


def texts_of(values: pd.Series) -> pd.Series:
    """Text of a column of keys: whole numbers without a decimal point, missing ones empty."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_float_dtype(values) and values.dropna().mod(1).eq(0).all():
        values = values.astype("Int64")
    texts = values.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    return texts.astype(object).where(values.notna(), "")


def _plain(name: str) -> str:
    return re.sub(r"[ _]", "", name.lower().removeprefix("metadata_"))


def listed(names: Iterable, at_most: int = 12) -> str:
    """Names for a message; of many, the first ones and how many more there are."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:at_most]) + (f" and {len(texts) - at_most} more" if len(texts) > at_most else "")

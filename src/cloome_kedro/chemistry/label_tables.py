"""Read labels of assays from tables of two forms: one column per assay, or one row per measurement.

How a value is read:

- 1, true, yes, active, positive: active. 0, false, no, inactive, negative: inactive. Case does not matter.
- Blank, a word for a missing value (NA, -, unknown, ...) or ``inconclusive``: not measured.
- -1 is inactive. A table with both 0 and -1 is ambiguous, since one of them means not measured: the settings must say
  which one.
- With a threshold, a value is a number, which may begin with ``<``, ``>``, ``<=`` or ``>=``. A limit that does not say
  on which side of the threshold the value lies, such as ``> 5`` for a threshold of 10, counts as not measured.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.chemistry.label_config import LabelColumns
from cloome_kedro.missing import is_missing, known

_ACTIVE = ("active", "true", "yes", "positive")
_INACTIVE = ("inactive", "false", "no", "negative")
_UNCLEAR = ("inconclusive", "ambiguous", "not tested", "unclear")
_NUMBER = re.compile(r"([<>]?=?|~)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)
#: columns that are not assays in a table with one column per assay
_OTHER = ("inchikey", "compound", "name", "smiles", "moa")

#: function ``(columns, kind) -> name of the column``, or None if there is none
Find = Callable[[Iterable[str], str], str | None]


class GivenLabels(NamedTuple):
    """Labels as a table gives them.

    Attributes
    ----------
    entries
        Columns ``inchikey``, ``compound``, ``name``: how the table names each compound. Missing names are null.
    labels
        Columns ``entry`` (row of ``entries``), ``assay`` (position in ``assays``) and ``active`` (1.0 or 0.0): one row
        per label. Repeats are kept.
    assays
        Names of the assays.
    unclear
        Number of values that count as not measured because they are limits on the wrong side of a threshold, or are
        called inconclusive.
    bad_keys
        Number of entries whose InChIKey is malformed. It counts as missing.
    """

    entries: pd.DataFrame
    labels: pd.DataFrame
    assays: list[str]
    unclear: int
    bad_keys: int


def read_labels(
    table: pd.DataFrame, settings: LabelColumns, find: Find, identify: Callable[[str], str] = str
) -> GivenLabels:
    """Read a table of labels.

    Parameters
    ----------
    table
        Text, numbers or booleans. Its index gives the line in the file, if its name is ``line`` or ``row``.
        ``attrs["file"]`` is the name of the file in messages.
    settings
        Names of columns, and the meaning of values.
    find
        Function that recognises a column by its usual names.
    identify
        Function from a structure to its InChIKey. It is used if the table has structures but no InChIKeys.

    Raises
    ------
    ValueError
        If a column is missing, or a value is neither a label nor a number for a threshold.
    """
    file = table.attrs.get("file", "assay_labels")
    columns = [str(column) for column in table]
    if table.empty:
        return _nothing()
    form, assay, value = _form(columns, settings, find, file)
    keys, key_columns = _keys(table, settings, find, identify, file)
    if form == "long":
        assert assay is not None
        assert value is not None
        names = known(table[assay])
        lacking = names.isna() & ~is_missing(table[value])
        if lacking.any():
            raise ValueError(f"{file}: {_place(table, int(lacking.to_numpy().argmax()))} has a value but no {assay}")
        codes, named = pd.factorize(names)
        assays = [str(name) for name in named]
        rows = np.flatnonzero(codes >= 0)
        columns_of_labels, values = codes[rows], table[value].to_numpy(object)[rows]
    else:
        assays = _assay_columns(columns, key_columns, settings, find, file)
        values = table[assays].to_numpy(object).ravel()
        rows, columns_of_labels = np.divmod(np.arange(len(values)), len(assays))
    active, unclear = _meanings(table, rows, columns_of_labels, values, assays, settings=settings, file=file)
    entry, entries = _entries(keys)
    measured = ~np.isnan(active)
    labels = pd.DataFrame(
        {"entry": entry[rows[measured]], "assay": columns_of_labels[measured], "active": active[measured]}
    )
    bad = entries["inchikey"].notna() & ~entries["inchikey"].astype(str).str.fullmatch(
        r"[A-Z]{14}(-[A-Z]{8}[A-Z]{2}(-[A-Z])?)?"
    )
    entries["inchikey"] = entries["inchikey"].mask(bad, None)
    return GivenLabels(entries, labels, assays, unclear, int(bad.sum()))


def _nothing() -> GivenLabels:
    labels = pd.DataFrame({"entry": [], "assay": [], "active": []}).astype({"entry": int, "assay": int})
    return GivenLabels(pd.DataFrame(columns=["inchikey", "compound", "name"], dtype=object), labels, [], 0, 0)


def _place(table: pd.DataFrame, position: int) -> str:
    name = table.index.name if table.index.name in ("line", "row") else None
    return f"{name} {table.index[position]}" if name else f"row {position + 1}"


def _column(columns: list[str], named: str | None, kind: str, find: Find, file: str) -> str | None:
    """Column of a kind: the one that the settings name, or the one with a usual name. None: there is none."""
    if named == "":
        return None
    if named is None:
        return find(columns, kind)
    if named not in columns:
        raise ValueError(f"{file} has no column {named} (labels.table.{kind}); its columns are {_few(columns)}")
    return named


def _form(columns: list[str], settings: LabelColumns, find: Find, file: str) -> tuple[str, str | None, str | None]:
    """Form of the table, and the columns of assays and of values of a long one."""
    if settings.form == "wide":
        return "wide", None, None
    assay = _column(columns, settings.assay, "assay", find, file)
    value = _column([name for name in columns if name != assay], settings.value, "value", find, file)
    if assay is not None and value is not None:
        return "long", assay, value
    wanted = [key for key in ("form", "assay", "value") if getattr(settings, key)]
    if wanted:
        lacking = "assay" if assay is None else "value"
        raise ValueError(
            f"{file} has no column of the {lacking}s, which labels.table.{wanted[0]} asks for; name it by "
            f"labels.table.{lacking}. Its columns are {_few(columns)}"
        )
    return "wide", None, None


def _keys(
    table: pd.DataFrame, settings: LabelColumns, find: Find, identify: Callable[[str], str], file: str
) -> tuple[pd.DataFrame, list[str]]:
    """Columns inchikey, compound and name of each row, and the columns of the table that they come from."""
    columns = [str(column) for column in table]
    found = {
        kind: _column(columns, getattr(settings, kind), kind, find, file) for kind in ("inchikey", "compound", "smiles")
    }
    found["name"] = find(columns, "name") if settings.compound is None else None
    if not any(found.values()):
        raise ValueError(
            f"{file} does not say which compounds its labels belong to: it has no column of InChIKeys, compound ids, "
            f"names or structures. Name one by labels.table.inchikey, .compound or .smiles. Its columns are "
            f"{_few(columns)}"
        )
    keys = {
        kind: pd.Series(None, index=table.index, dtype=object) if found[kind] is None else known(table[found[kind]])
        for kind in ("inchikey", "compound", "name")
    }
    if found["inchikey"] is None and found["smiles"] is not None:
        structures = known(table[found["smiles"]])
        identities = {smiles: identify(smiles) for smiles in structures.dropna().unique()}
        found_keys = structures.map({smiles: key for smiles, key in identities.items() if key != smiles})
        keys["inchikey"] = found_keys.astype(object).where(found_keys.notna(), None)
    return pd.DataFrame(keys), [name for name in found.values() if name is not None]


def _assay_columns(
    columns: list[str], key_columns: list[str], settings: LabelColumns, find: Find, file: str
) -> list[str]:
    others = {*key_columns, *filter(None, (find(columns, kind) for kind in _OTHER))}
    assays = [name for name in columns if name not in others and not name.startswith(("Metadata_", "Unnamed: "))]
    if settings.assays:
        assays = [name for name in columns if any(re.search(pattern, name) for pattern in settings.assays)]
        if not assays:
            raise ValueError(
                f"{file}: no column matches labels.table.assays ({', '.join(settings.assays)}); its columns are "
                f"{_few(columns)}"
            )
    return assays


def _entries(keys: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Number of the entry of each row, and the entries: different combinations of keys."""
    entry = keys.groupby(list(keys), dropna=False, sort=False).ngroup().to_numpy()
    _, first = np.unique(entry, return_index=True)
    return entry, keys.iloc[first].reset_index(drop=True)


def _meanings(
    table: pd.DataFrame,
    rows: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    assays: list[str],
    *,
    settings: LabelColumns,
    file: str,
) -> tuple[np.ndarray, int]:
    """Label of each value, 1.0, 0.0 or NaN (not measured), and the number of unclear values."""
    codes, uniques = pd.factorize(values)
    codes = np.where(codes < 0, len(uniques), codes)  # null is the last entry
    meanings = [*map(_parse, uniques), _Value()]
    labels, numbers = (np.array([getattr(m, name) for m in meanings], float) for name in ("label", "number"))
    signs = np.array([m.sign for m in meanings])
    thresholds = np.array([settings.thresholds.get(name, settings.threshold) for name in assays], float)

    def complain(wrong: np.ndarray, advice: str) -> None:
        if wrong.any():
            first = int(wrong.argmax())
            where = f"{_place(table, int(rows[first]))}, assay {assays[columns[first]]}"
            raise ValueError(f"{file}: {where} has the value {str(values[first])!r}. {advice}")

    words = "Labels are 1, 0, -1, true, false, active or inactive, and blank if not measured"
    complain(
        np.array([m.bad for m in meanings])[codes],
        f"{words}. If this column is no assay, choose the assay columns by labels.table.assays",
    )
    by_value, limit = numbers[codes], thresholds[columns]
    measured, thresholded = ~np.isnan(by_value), ~np.isnan(limit)
    is_label = np.isin(by_value, (-1, 0, 1)) & (signs[codes] == "")
    complain(measured & ~thresholded & ~is_label, f"{words}. For measured numbers, set labels.table.threshold")
    plain = by_value[measured & ~thresholded]
    not_measured = None
    if np.isin((-1, 0), plain).all():
        if settings.both is None:
            raise ValueError(
                f"{file} has the labels 0 and -1, and one of them must mean not measured: set labels.table.both to "
                "zero_not_measured (-1 is inactive) or to minus_one_not_measured (0 is inactive)"
            )
        not_measured = 0 if settings.both == "zero_not_measured" else -1
    result = labels[codes]
    simple = measured & ~thresholded & (by_value != not_measured)
    result[simple] = by_value[simple] > 0
    compared = measured & thresholded
    result[compared] = _sides(by_value[compared], signs[codes][compared], limit[compared], settings.active)
    unclear = np.array([m.unclear for m in meanings])[codes] | (compared & np.isnan(result))
    return result, int(unclear.sum())


class _Value(NamedTuple):
    """A value as it is written: a label, a number with its sign, or neither."""

    label: float = np.nan
    number: float = np.nan
    sign: str = ""
    unclear: bool = False
    bad: bool = False


def _parse(value: object) -> _Value:
    if isinstance(value, bool | np.bool_):
        return _Value(label=float(value))
    if isinstance(value, int | float | np.integer | np.floating):
        return _Value(number=float(value))
    text = str(value).strip().casefold()
    if text in _ACTIVE or text in _INACTIVE:
        return _Value(label=float(text in _ACTIVE))
    if text in _UNCLEAR:
        return _Value(unclear=True)
    if match := _NUMBER.fullmatch(text):
        if is_missing(pd.Series([text])).iloc[0]:
            return _Value()
        return _Value(number=float(match[2]), sign=match[1].replace("~", "").replace("=", "") + "=" * ("=" in match[1]))
    return _Value() if is_missing(pd.Series([text])).iloc[0] else _Value(bad=True)


def _sides(numbers: np.ndarray, signs: np.ndarray, limits: np.ndarray, active: str) -> np.ndarray:
    """1.0 active, 0.0 inactive, NaN if a limit such as ``> 5`` leaves it open."""
    if active == "below":
        mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        turned = np.array([mirrored.get(sign, sign) for sign in signs], dtype=str)
        return _sides(-numbers, turned, -limits, "above")
    exact = np.isin(signs, ("", "="))
    at_least, at_most = np.char.startswith(signs.astype(str), ">"), np.char.startswith(signs.astype(str), "<")
    below = np.where(signs == "<=", numbers < limits, numbers <= limits)
    return np.select(
        [exact, at_least & (numbers >= limits), at_most & below],
        [(numbers >= limits).astype(float), 1.0, 0.0],
        np.nan,
    )


def _few(columns: list[str], number: int = 10) -> str:
    return ", ".join(columns[:number]) + (f" and {len(columns) - number} more" if len(columns) > number else "")

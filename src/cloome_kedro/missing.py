"""Words that stand for a missing value in tables of a screen, such as NA, unknown or -666.

The list is a parameter (``missing`` in ``globals.yml``), because a compound or a plate can really have such a name.
"""

import math
from collections.abc import Iterable

import pandas as pd

from cloome_kedro.words import MISSING


def is_missing(values: pd.Series, words: Iterable[str] = MISSING) -> pd.Series:
    """Whether the entries of a column are missing: null, blank, or one of ``words``.

    Case and outer spaces do not matter. A word that is a number stands for every way to write this number.

    Parameters
    ----------
    values
        Column of text or numbers.
    words
        Words for a missing value. With an empty list, only null and blank entries are missing.

    Returns
    -------
    Column of bool, with the index of ``values``.

    Examples
    --------
    >>> is_missing(pd.Series(["DMSO", " n/a", "", None, "-666.0", "unknown kinase"])).tolist()
    [False, True, True, True, True, False]
    """
    texts, numbers = {""}, set()
    for word in words:
        texts.add(word.strip().casefold())
        number = _number(word)
        if math.isfinite(number):
            numbers.add(number)
    # Tables have few different entries in comparison with their rows.
    entries = {entry: _plain(entry) for entry in values.dropna().unique()}
    missing = {entry for entry, text in entries.items() if text in texts or (numbers and _number(text) in numbers)}
    return values.isna() | values.isin(missing)


def known(values: pd.Series, words: Iterable[str] = MISSING) -> pd.Series:
    """Entries of a column as text without outer spaces, and None where they are missing (see `is_missing`).

    >>> known(pd.Series([" DMSO ", "NA"])).tolist()
    ['DMSO', None]
    """
    text = values.astype(object).map(lambda entry: str(entry).strip(), na_action="ignore").astype(object)
    return text.where(~is_missing(values, words), None)


def known_parts(values: pd.Series, words: Iterable[str] = MISSING, separator: str = "|") -> pd.Series:
    """Entries of a column of lists, such as several mechanisms, without their missing parts. None: no part is left.

    >>> known_parts(pd.Series(["MEK inhibitor | unknown", "NA|-", None])).tolist()
    ['MEK inhibitor', None, None]
    """
    words = tuple(words)
    lists = known(values, words).map(
        lambda entry: [part.strip() for part in entry.split(separator)], na_action="ignore"
    )
    parts = pd.Series(sorted({part for entry in lists.dropna() for part in entry}), dtype=object)
    left_out = set(parts[is_missing(parts, words)])
    joined = lists.map(
        lambda entry: separator.join(part for part in entry if part not in left_out) or None, na_action="ignore"
    )
    return joined.astype(object).where(joined.notna(), None)


def _plain(entry: object) -> str:
    return str(entry).strip().casefold()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

"""Cleaning of the user's tables before their schema is checked."""

import logging

import pandas as pd

from cloome_kedro.imaging.tables import place
from cloome_kedro.imaging.wells import parse_wells
from cloome_kedro.missing import known

logger = logging.getLogger(__name__)

_FOLDS = ("inchikey", "plate", "well", "site", "fold")


def cleaned_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Clean a table of provided folds: outer spaces, words for a missing value, wells such as A1, the case of folds.

    Only empty plates are missing, because a plate can have any name.

    Raises
    ------
    ValueError
        If a cell is no well or no number of a site. The message gives the line.
    """
    if others := [str(column) for column in table if column not in _FOLDS]:
        logger.warning("provided_folds: the columns %s are not read", ", ".join(others))
    table = table[[column for column in table if column in _FOLDS]].copy()
    for column in table.columns:
        table[column] = known(table[column], words=()) if column == "plate" else known(table[column])
    if "well" in table:
        wells = parse_wells(table["well"])
        _refuse(table["well"], wells.isna(), "a well; write it like D08")
        table["well"] = wells
    if "site" in table:
        sites = pd.to_numeric(table["site"], errors="coerce")
        _refuse(table["site"], ~(sites.ge(0) & sites.mod(1).eq(0)), "a whole number; leave it empty for a whole well")
        table["site"] = sites.astype("Int64")
    if "fold" in table:
        table["fold"] = table["fold"].map(str.casefold, na_action="ignore")
    return table


def _refuse(cells: pd.Series, is_bad: pd.Series, what: str) -> None:
    if (is_bad := is_bad & cells.notna()).any():
        i = int(is_bad.to_numpy().argmax())
        raise ValueError(f"provided_folds, {place(cells, i)}: {cells.name} {cells.iloc[i]!r} is not {what}")

"""Names of wells."""

import string
from pathlib import Path

import pandas as pd


def well_name(row: int, column: int) -> str:
    """Return the name of the well at a row and a column, which both start at 1.

    >>> well_name(4, 8), well_name(27, 1)
    ('D08', 'AA01')
    """
    letters = string.ascii_uppercase
    high, low = divmod(row - 1, 26)
    return (letters[high - 1] if high else "") + letters[low] + f"{column:02d}"


def canonical_wells(wells: pd.Series, path: Path) -> pd.Series:
    """Convert names of wells to letters and two digits: d8 and D008 become D08.

    Parameters
    ----------
    wells
        Column of a table.
    path
        File of the table, for messages.

    Raises
    ------
    ValueError
        If an entry is not a well. The message gives the file, the line (the header is line 1) and the column.
    """
    parts = wells.str.strip().str.upper().str.extract(r"^([A-Z]{1,2})0*([1-9][0-9]?)$")
    if (is_bad := parts[0].isna()).any():
        i = int(is_bad.to_numpy().argmax())
        raise ValueError(f"{path}, line {i + 2}: {wells.name} {wells.iloc[i]!r} is not a well; write it like D08")
    return parts[0] + parts[1].str.zfill(2)

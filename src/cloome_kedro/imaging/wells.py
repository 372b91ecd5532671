"""Names of wells."""

import string
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.tables import place


def well_name(row: int, column: int) -> str:
    """Return the name of the well at a row and a column, which both start at 1.

    >>> well_name(4, 8), well_name(27, 1)
    ('D08', 'AA01')
    """
    letters = string.ascii_uppercase
    high, low = divmod(row - 1, 26)
    return (letters[high - 1] if high else "") + letters[low] + f"{column:02d}"


def letters_of_row(row: str) -> str:
    """Letters of a row that is written as letters or as a number from 1.

    >>> letters_of_row("B"), letters_of_row("2"), letters_of_row("02.0")
    ('B', 'B', 'B')
    """
    number = row.removesuffix(".0")
    return well_name(int(number), 1)[:-2] if number.isascii() and number.isdigit() and 0 < int(number) < 100 else row


def parse_wells(wells: pd.Series) -> pd.Series:
    """Convert names of wells to letters and two digits; null where an entry is not a well.

    >>> parse_wells(pd.Series(["d8", "D-08", "r04c08", "8D"])).tolist()
    ['D08', 'D08', 'D08', nan]
    """
    text = wells.astype(object).where(wells.notna(), "").map(lambda entry: str(entry).strip().upper()).astype(str)
    parts = text.str.extract(r"^([A-Z]{1,2})[ _:\-]?0*([1-9][0-9]?)$")
    names = parts[0] + parts[1].str.zfill(2)
    numbers = text.str.extract(r"^R0*([1-9][0-9]?)[ _:\-]?C0*([1-9][0-9]?)$").dropna()
    return names.fillna(pd.Series([well_name(int(row), int(column)) for row, column in numbers.values], numbers.index))


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
    names = parse_wells(wells)
    if (is_bad := names.isna()).any():
        i = int(is_bad.to_numpy().argmax())
        raise ValueError(f"{path}, {place(wells, i)}: {wells.name} {wells.iloc[i]!r} is not a well; write it like D08")
    return names

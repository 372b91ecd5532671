"""Columns and checks that several tables use."""

from typing import Any

import pandas as pd
import pandera.pandas as pa

WELL = pa.Check.str_matches(r"^[A-Z]{1,2}[0-9]{2}$")
INCHIKEY = pa.Check.str_matches(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")
# tables of users: 27 characters, 25 (without the protonation), or 14 (the first block)
INCHIKEY_PART = pa.Check.str_matches(r"^[A-Z]{14}(-[A-Z]{10}(-[A-Z])?)?$")
STRIPPED = pa.Parser(lambda cells: cells.str.strip())


def column(kind: Any, *checks: pa.Check, **options: Any) -> pa.Column:
    """Make a column with a type and checks."""
    return pa.Column(kind, list(checks), **options)


def table(columns: dict[str, pa.Column], **options: Any) -> pa.DataFrameSchema:
    """Make the schema of a table that has these columns and no others."""
    return pa.DataFrameSchema(columns, strict=True, coerce=True, **options)


def empty(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Make a table without rows from a schema.

    It has the required columns, with their types. Columns that are given by a pattern are left out.
    """
    columns = [name for name, column in schema.columns.items() if not column.regex and column.required]
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    return frame.astype({name: schema.columns[name].dtype.type for name in columns})

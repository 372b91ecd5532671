"""What all tables are made of."""

import pandas as pd
import pandera.pandas as pa

FOLDS = ("train", "validation", "test")
WELL = pa.Check.str_matches(r"^[A-Z]{1,2}[0-9]{2}$")
INCHIKEY = pa.Check.str_matches(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")


def column(kind, *checks, **options):
    return pa.Column(kind, list(checks), **options)


def table(columns, **options):
    return pa.DataFrameSchema(columns, strict=True, coerce=True, **options)


def empty(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The table without rows, each column of its type."""
    return schema.coerce_dtype(pd.DataFrame(columns=list(schema.columns)))

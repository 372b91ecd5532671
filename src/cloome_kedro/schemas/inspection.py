"""Tables of the check of a screen before it is ingested."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import column, table

#: one row per finding of the check of a screen
screen_check = table(
    {"check": column(str), "verdict": column(str, pa.Check.isin(["ok", "warning", "error"])), "text": column(str)}
)

#: one row per plate that the sources of a screen list. What was read of its images is missing without images
screen_check_plates = table(
    {
        "plate": column(str),
        **{
            name: column(int, pa.Check.ge(0))
            for name in ("fields", "rejected", "wells", "controls", "without_compound", "missing")
        },
        **{name: column(float, nullable=True, required=False) for name in ("height", "width", "largest")},
        "dtype": column(str, nullable=True, required=False),
    },
    unique=["plate"],
)

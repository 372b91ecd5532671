"""Tables of the labels of assays."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import INCHIKEY, INCHIKEY_PART, STRIPPED, column, table

#: one row per compound, with assay labels from the screen. The key is the InChIKey, its first 14 characters (all
#: stereoisomers) or its first 25, or the screen's compound id. The other columns are assays of any name: 1 active, 0
#: inactive, empty if not measured
assay_labels = pa.DataFrameSchema(
    {
        "compound_id": pa.Column(str, unique=True, required=False),
        "inchikey": pa.Column(str, INCHIKEY_PART, unique=True, required=False, parsers=STRIPPED),
        r"^(?!(compound_id|inchikey)$)": column(
            float, pa.Check.isin([0.0, 1.0]), nullable=True, regex=True, required=False
        ),
    },
    checks=pa.Check(
        lambda table: ("compound_id" in table) != ("inchikey" in table),
        error="assay_labels needs either the column compound_id or the column inchikey, not both",
    ),
    strict=True,
    coerce=True,
)

#: one row per compound with an assay label. The columns are assays of any name: 1 active, 0 inactive, empty if not
#: measured
labels = pa.DataFrameSchema(
    {
        "inchikey": column(str, INCHIKEY, unique=True),
        r"^(?!inchikey$)": column(float, pa.Check.isin([0.0, 1.0]), nullable=True, regex=True, required=False),
    },
    strict=True,
    coerce=True,
)

#: one row per key: how many compounds and labels of assays it joined to the screen. The key ``none`` counts what the
#: screen does not have
label_joins = table(
    {
        "key": column(str, pa.Check.isin(["inchikey", "first block", "id", "none"])),
        "compounds": column(int, pa.Check.ge(0)),
        "labels": column(int, pa.Check.ge(0)),
        "contradictions": column(int, pa.Check.ge(0)),  # repeated labels of a compound that contradict each other
    },
    unique=["key"],
)

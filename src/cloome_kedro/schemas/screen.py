"""What a screen is: its fields, compounds, profiles, folds, labels."""

import pandera.pandas as pa

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.schemas.base import INCHIKEY, WELL, column, table
from cloome_kedro.words import FOLDS

_field = {
    "field_id": column(str),  # screen/plate/well/site
    "screen": column(str),
    "plate": column(str),
    "well": column(str, WELL),
    "site": column(int, pa.Check.ge(0)),
}
_annotation = {
    "compound_id": column(str, nullable=True),  # as the screen names it; none for controls without a compound
    "concentration_um": column(float, nullable=True),
    "control": column(bool),  # DMSO and other controls: never in pairs
}

#: one row per compound as the screen's own tables give it
compound_table = table(
    {
        "compound_id": column(str),
        "smiles": column(str, nullable=True),
        "name": column(str, nullable=True),
        "moa": column(str, nullable=True),
    },
    unique=["compound_id"],
)

#: one row per field: where its five images are (absolute path, and page of a file of several) and what was in its well
field_index = table(
    {
        **_field,
        "source": column(str),
        "bit_depth": column(int, pa.Check.isin([8, 12, 16])),
        **_annotation,
        **{f"path_{channel}": column(str) for channel in CHANNELS},
        **{f"plane_{channel}": column("Int64", nullable=True) for channel in CHANNELS},
    },
    unique=["field_id"],
)

#: one row per ingested field: which row of which plate file, and what its intensities are
fields = table(
    {
        **_field,
        **_annotation,
        "plate_file": column(str),  # name in the plate store, without suffix
        "row": column(int, pa.Check.ge(0)),
        **{
            f"{statistic}_{channel}": column(float)
            for statistic in ("threshold", "saturated", "mean", "std", "focus")
            for channel in CHANNELS
        },
    },
    unique=["field_id"],
)

#: fields that were set aside, and why
rejected_fields = table(
    {**_field, "stage": column(str, pa.Check.isin(["index", "image"])), "reason": column(str)},
)

#: one row per standardised compound
compounds = table(
    {
        "inchikey": column(str, INCHIKEY),
        "block": column(str, pa.Check.str_length(14, 14)),  # first block of the InChIKey: what splits group by
        "smiles": column(str),
        "scaffold": column(str),  # Bemis-Murcko SMILES; an acyclic compound's own SMILES
        "name": column(str, nullable=True),
        "moa": column(str, nullable=True),  # mechanisms of action, separated by |
    },
    unique=["inchikey"],
)

#: which standardised compound each of the screen's compound ids is
compound_keys = table({"compound_id": column(str), "inchikey": column(str, INCHIKEY)}, unique=["compound_id"])

#: compounds that could not be standardised, and why
rejected_compounds = table({"compound_id": column(str), "smiles": column(str, nullable=True), "reason": column(str)})

#: one row per plate whose fields were measured
profile_index = table(
    {
        "plate_file": column(str),
        "fields": column(int, pa.Check.ge(1)),
        "without_nuclei": column(int, pa.Check.ge(0)),
        "features": column(int, pa.Check.ge(1)),
        "digest": column(str),
    },
    unique=["plate_file"],
)

#: one row per field: features of any number and name, a user's too; columns named Metadata_... are carried along unread
field_profiles = pa.DataFrameSchema(
    {
        "field_id": column(str),
        r"^(?!field_id$|Metadata_)": pa.Column(
            checks=pa.Check(
                lambda feature: feature.dtype.kind in "fiu",
                error="a column that is neither field_id nor Metadata_... is a feature, and must be numeric",
            ),
            nullable=True,  # a model, which needs a value, names the field
            regex=True,
            required=False,
        ),
    },
    coerce=True,
    unique=["field_id"],
)

#: one row per treated field with a known structure: what contrastive learning pairs (never a control)
pairs = table(
    {
        **_field,
        "plate_file": column(str),
        "row": column(int, pa.Check.ge(0)),
        "inchikey": column(str, INCHIKEY),
        "treatment": column(str),  # InChIKey@concentration
    },
    unique=["field_id"],
)

#: which fold a compound is in
folds = table({"inchikey": column(str, INCHIKEY), "fold": column(str, pa.Check.isin(FOLDS))}, unique=["inchikey"])

#: one row per treated field of a split: all that training and evaluation read of a screen, beside `labels`
examples = table(
    {
        **_field,
        "plate_file": column(str),
        "row": column(int, pa.Check.ge(0)),
        "inchikey": column(str, INCHIKEY),
        "structure_row": column(int, pa.Check.ge(0)),  # of the compound, in `compounds` and in its features
        "treatment": column(str),
        "moa": column(str, nullable=True),
        "fold": column(str, pa.Check.isin(FOLDS)),
        "split": column(str),
        "split_hash": column(str),
    },
    unique=["field_id"],
)

#: one row per compound with an assay label: what assays of any name found, 1 active, 0 inactive, none where not
#: measured
labels = pa.DataFrameSchema(
    {
        "inchikey": column(str, INCHIKEY, unique=True),
        r"^(?!inchikey$)": column(float, pa.Check.isin([0.0, 1.0]), nullable=True, regex=True, required=False),
    },
    strict=True,
    coerce=True,
)

#: folds as a user's table gives them, by InChIKey, well or field; columns that are not needed may be missing
provided_folds = table(
    {
        "inchikey": column(str, INCHIKEY, nullable=True),
        "plate": column(str, nullable=True),
        "well": column(str, WELL, nullable=True),
        "site": column("Int64", nullable=True),  # none: the whole well
        "fold": column(str, nullable=True),  # which names are known is told with the row's number by the split
    },
    add_missing_columns=True,
)

#: one row per field: nuclei found in it
cell_counts = table({"field_id": column(str), "nuclei": column(float, pa.Check.ge(0))}, unique=["field_id"])

#: one row per pair of folds and kind of leak, with an example of the worst pair
leaks = table(
    {
        "kind": column(str, pa.Check.isin(["structure", "scaffold", "near-duplicate"])),
        "fold": column(str, pa.Check.isin(FOLDS)),
        "other_fold": column(str, pa.Check.isin(FOLDS)),
        "compounds": column(int, pa.Check.ge(0)),  # of `fold` that have such a relative in `other_fold`
        "of": column(int, pa.Check.ge(0)),  # compounds of `fold`
        "example": column(str, nullable=True),
        "split_hash": column(str),
    },
    unique=["kind", "fold", "other_fold"],
)

#: one row per treated well of plates that came as tables of profiles: its features, of any number and name
profile_wells = pa.DataFrameSchema(
    {
        "field_id": column(str),  # plate/well
        "Metadata_Plate": column(str),  # the physical plate, whatever it was imaged by
        "Metadata_Well": column(str, WELL),
        "Metadata_InChIKey": column(str, INCHIKEY),
        "Metadata_moa": column(str),
        "Metadata_Count": column(float, nullable=True),  # of cells, as a multiple of the plate's median
        r"^(?!field_id$|Metadata_)": column(float, regex=True),
    },
    strict=True,
    coerce=True,
    unique=["field_id"],
)

#: treated wells of such plates that cannot be asked about, and why
rejected_profiles = table({"field_id": column(str), "reason": column(str)})

#: the virtual screen's truth, read by oracles and by tests only; one row per well
truth = pa.DataFrameSchema(
    {
        "plate": column(str),
        "well": column(str),
        "compound_id": column(str, nullable=True),
        "mechanism": column(str),
        "potency": column(float),
        "phenotype_.*": column(float, regex=True, required=False),  # what the compound does to a cell on average
        "realised_.*": column(float, regex=True, required=False),  # what was drawn in this well
    },
    strict=True,
    coerce=True,
    unique=["plate", "well"],
)

#: assay labels as the screen brings them: one row per compound, named by the screen's own id or by InChIKey; columns
#: are assays of any name, 1 active, 0 inactive, none where it was not measured
assay_labels = pa.DataFrameSchema(
    {
        "compound_id": pa.Column(str, unique=True, required=False),
        "inchikey": pa.Column(str, INCHIKEY, unique=True, required=False),
        r"^(?!(compound_id|inchikey)$)": column(
            float, pa.Check.isin([0.0, 1.0]), nullable=True, regex=True, required=False
        ),
    },
    checks=pa.Check(
        lambda table: ("compound_id" in table) != ("inchikey" in table),
        error="assay_labels needs one of the columns compound_id and inchikey, not both",
    ),
    strict=True,
    coerce=True,
)

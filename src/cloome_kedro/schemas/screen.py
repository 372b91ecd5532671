"""Tables of a screen: fields, compounds, profiles, folds and labels."""

import pandera.pandas as pa

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.schemas.base import INCHIKEY, INCHIKEY_PART, WELL, column, table
from cloome_kedro.schemas.cleaning import cleaned_folds
from cloome_kedro.words import FOLDS

_field = {
    "field_id": column(str),  # screen/plate/well/site
    "screen": column(str),
    "plate": column(str),
    "well": column(str, WELL),
    "site": column(int, pa.Check.ge(0)),
}
_annotation = {
    "compound_id": column(str, nullable=True),  # name in the screen; empty for controls without a compound
    "concentration_um": column(float, nullable=True),
    "control": column(bool),  # DMSO and other controls, which are never in `pairs`
}

#: one row per compound, from the tables of the screen
compound_table = table(
    {
        "compound_id": column(str),
        "smiles": column(str, nullable=True),
        "name": column(str, nullable=True),
        "moa": column(str, nullable=True),
    },
    unique=["compound_id"],
)

#: one row per field: its five images (absolute path, and page of a file that holds several images) and the content of
#: its well. If a channel is the maximum of a z stack, ``more`` has the further images of the stack, as a JSON list of
#: [path, page]
field_index = table(
    {
        **_field,
        "source": column(str),
        "bit_depth": column(int, pa.Check.isin([8, 12, 16])),
        **_annotation,
        **{f"path_{channel}": column(str) for channel in CHANNELS},
        **{f"plane_{channel}": column("Int64", nullable=True) for channel in CHANNELS},
        **{f"more_{channel}": column(str, nullable=True, required=False) for channel in CHANNELS},
    },
    unique=["field_id"],
)

#: where the images of a field are; a screen without images does not have these columns
_image = {
    "plate_file": column(str, required=False),  # name of the file in the plate store, without suffix
    "row": column(int, pa.Check.ge(0), required=False),
}

#: one row per ingested field: its row in the plate file, and statistics of its intensities, if the screen has images
fields = table(
    {
        **_field,
        **_annotation,
        **_image,
        **{
            f"{statistic}_{channel}": column(float, required=False)
            for statistic in ("threshold", "saturated", "mean", "std", "focus")
            for channel in CHANNELS
        },
    },
    unique=["field_id"],
)

#: one row per plate and channel: robust mean and deviation of the stored pixels (0 to 255) of the control wells
plate_statistics = table(
    {
        "plate_file": column(str),
        "channel": column(str, pa.Check.isin(CHANNELS)),
        "mean": column(float, pa.Check.in_range(0, 255)),
        "std": column(float, pa.Check.in_range(0, 255)),
        "wells": column(int, pa.Check.ge(1)),  # number of wells and of fields that the statistics are computed from
        "fields": column(int, pa.Check.ge(1)),
        "basis": column(
            str, pa.Check.isin(["controls", "all wells"])
        ),  # all wells: the plate has too few control wells
    },
    unique=["plate_file", "channel"],
)

#: one row per field that was rejected, with the reason. A row of a LoadData table with a bad well or site is there, too
rejected_fields = table(
    {
        **_field,
        "well": column(str),
        "site": column("Int64", nullable=True),
        "stage": column(str, pa.Check.isin(["index", "image"])),
        "reason": column(str),
    },
)

#: one row per standardised compound
compounds = table(
    {
        "inchikey": column(str, INCHIKEY),
        "block": column(str, pa.Check.str_length(14, 14)),  # first block of the InChIKey, which splits keep together
        "smiles": column(str),
        "scaffold": column(str),  # SMILES of the Bemis-Murcko scaffold; for an acyclic compound, SMILES of the compound
        "name": column(str, nullable=True),
        "moa": column(str, nullable=True),  # mechanisms of action, separated by |
        "stripped": column(str, nullable=True),  # counter-ions and solvents that were stripped, separated by |
    },
    unique=["inchikey"],
)

#: one row per compound id of the screen, with its standardised compound
compound_keys = table({"compound_id": column(str), "inchikey": column(str, INCHIKEY)}, unique=["compound_id"])

#: one row per compound that could not be standardised, with the reason
rejected_compounds = table({"compound_id": column(str), "smiles": column(str, nullable=True), "reason": column(str)})

#: one row per compound id whose compound unites ids with different names or mechanisms, such as salts of a drug
merged_compounds = table(
    {
        "inchikey": column(str, INCHIKEY),
        "compound_id": column(str),
        "name": column(str, nullable=True),
        "moa": column(str, nullable=True),
        "smiles": column(str),  # as given
        "stripped": column(str, nullable=True),
    },
    unique=["compound_id"],
)

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

#: one row per field: features of any number and name. It can be a table of the user. Columns with the names
#: Metadata_... are kept but not read
field_profiles = pa.DataFrameSchema(
    {
        "field_id": column(str),
        r"^(?!field_id$|Metadata_)": pa.Column(
            checks=pa.Check(
                lambda feature: feature.dtype.kind in "fiu",
                error="all columns except field_id and Metadata_... are features, which must be numeric",
            ),
            nullable=True,  # a model needs all values; its error message names a field without one
            regex=True,
            required=False,
        ),
    },
    coerce=True,
    unique=["field_id"],
)

#: one row per treated field with a known structure: the pairs for contrastive learning, without controls
pairs = table(
    {
        **_field,
        **_image,
        "inchikey": column(str, INCHIKEY),
        "treatment": column(str),  # InChIKey@concentration
    },
    unique=["field_id"],
)

#: one row per compound, with its fold
folds = table({"inchikey": column(str, INCHIKEY), "fold": column(str, pa.Check.isin(FOLDS))}, unique=["inchikey"])

#: one row per treated field of a split. Training and evaluation read only this table and `labels` of a screen
examples = table(
    {
        **_field,
        **_image,
        "inchikey": column(str, INCHIKEY),
        "structure_row": column(int, pa.Check.ge(0)),  # row of the compound in `compounds` and in its features
        "treatment": column(str),
        "moa": column(str, nullable=True),
        "fold": column(str, pa.Check.isin(FOLDS)),
        "split": column(str),
        "split_hash": column(str),
    },
    unique=["field_id"],
)

#: folds by InChIKey, well or field, from a table of the user. Columns that are not needed may be missing
provided_folds = table(
    {
        "inchikey": column(str, INCHIKEY_PART, nullable=True),
        "plate": column(str, nullable=True),
        "well": column(str, WELL, nullable=True),
        "site": column("Int64", nullable=True),  # empty: the whole well
        "fold": column(str, nullable=True),  # the split checks the names, because its message gives the row
    },
    parsers=pa.Parser(cleaned_folds),
    add_missing_columns=True,
)

#: one row per field, with its number of nuclei
cell_counts = table({"field_id": column(str), "nuclei": column(float, pa.Check.ge(0))}, unique=["field_id"])

#: one row per pair of folds and kind of leak, with an example
leaks = table(
    {
        "kind": column(str, pa.Check.isin(["structure", "scaffold", "near-duplicate"])),
        "fold": column(str, pa.Check.isin(FOLDS)),
        "other_fold": column(str, pa.Check.isin(FOLDS)),
        "compounds": column(int, pa.Check.ge(0)),  # number of compounds of `fold` with such a relative in `other_fold`
        "of": column(int, pa.Check.ge(0)),  # number of compounds of `fold`
        "example": column(str, nullable=True),
        "split_hash": column(str),
    },
    unique=["kind", "fold", "other_fold"],
)

#: one row per treated well of plates that are tables of profiles, with features of any number and name
profile_wells = pa.DataFrameSchema(
    {
        "field_id": column(str),  # plate/well
        "Metadata_Plate": column(str),  # the physical plate, which can be imaged several times
        "Metadata_Well": column(str, WELL),
        "Metadata_InChIKey": column(str, INCHIKEY),
        "Metadata_moa": column(str),
        "Metadata_Count": column(float, nullable=True),  # number of cells divided by the median of the plate
        r"^(?!field_id$|Metadata_)": column(float, regex=True),
    },
    strict=True,
    coerce=True,
    unique=["field_id"],
)

#: one row per treated well of such plates that is not used, with the reason
rejected_profiles = table({"field_id": column(str), "reason": column(str)})

#: one row per column of such tables: whether it is used as a feature, and why not
profile_columns = table({"column": column(str), "feature": column(bool), "reason": column(str)})

#: one row per well of the virtual screen: its true effects. Only oracles and tests read them
truth = pa.DataFrameSchema(
    {
        "plate": column(str),
        "well": column(str),
        "compound_id": column(str, nullable=True),
        "mechanism": column(str),
        "potency": column(float),
        "phenotype_.*": column(float, regex=True, required=False),  # mean effect of the compound on a cell
        "realised_.*": column(float, regex=True, required=False),  # effect that was drawn for this well
    },
    strict=True,
    coerce=True,
    unique=["plate", "well"],
)

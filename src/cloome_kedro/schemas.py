"""The tables of the catalog, as pandera schemas (named by ``validator:`` in ``conf/base/catalog.yml``).

A table whose columns differ from its schema is refused when it is saved and when it is loaded.
"""

import pandas as pd
import pandera.pandas as pa

from cloome_kedro.imaging.channels import CHANNELS

FOLDS = ("train", "validation", "test")
WELL = pa.Check.str_matches(r"^[A-Z]{1,2}[0-9]{2}$")
INCHIKEY = pa.Check.str_matches(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")


def _column(kind, *checks, **options):
    return pa.Column(kind, list(checks), **options)


def _table(columns, **options):
    return pa.DataFrameSchema(columns, strict=True, coerce=True, **options)


def empty(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The table without rows, each column of its type."""
    return schema.coerce_dtype(pd.DataFrame(columns=list(schema.columns)))


_field = {
    "field_id": _column(str),  # screen/plate/well/site
    "screen": _column(str),
    "plate": _column(str),
    "well": _column(str, WELL),
    "site": _column(int, pa.Check.ge(0)),
}
_annotation = {
    "compound_id": _column(str, nullable=True),  # as the screen names it; none for controls without a compound
    "concentration_um": _column(float, nullable=True),
    "control": _column(bool),  # DMSO and other controls: never in pairs
}

#: one row a compound as the screen's own tables give it
compound_table = _table(
    {
        "compound_id": _column(str),
        "smiles": _column(str, nullable=True),
        "name": _column(str, nullable=True),
        "moa": _column(str, nullable=True),
    },
    unique=["compound_id"],
)

#: one row a field: where its five images are (absolute paths) and what was in its well
field_index = _table(
    {
        **_field,
        "source": _column(str),
        "bit_depth": _column(int, pa.Check.isin([8, 12, 16])),
        **_annotation,
        **{f"path_{channel}": _column(str) for channel in CHANNELS},
    },
    unique=["field_id"],
)

#: one row an ingested field: which row of which plate file, and what its intensities are
fields = _table(
    {
        **_field,
        **_annotation,
        "plate_file": _column(str),  # name in the plate store, without suffix
        "row": _column(int, pa.Check.ge(0)),
        **{
            f"{statistic}_{channel}": _column(float)
            for statistic in ("threshold", "saturated", "mean", "std", "focus")
            for channel in CHANNELS
        },
    },
    unique=["field_id"],
)

#: fields that were set aside, and why
rejected_fields = _table(
    {**_field, "stage": _column(str, pa.Check.isin(["index", "image"])), "reason": _column(str)},
)

#: one row a standardised compound
compounds = _table(
    {
        "inchikey": _column(str, INCHIKEY),
        "block": _column(str, pa.Check.str_length(14, 14)),  # first block of the InChIKey: what splits group by
        "smiles": _column(str),
        "scaffold": _column(str),  # Bemis-Murcko SMILES; an acyclic compound's own SMILES
        "name": _column(str, nullable=True),
        "moa": _column(str, nullable=True),
    },
    unique=["inchikey"],
)

#: which standardised compound each of the screen's compound ids is
compound_keys = _table({"compound_id": _column(str), "inchikey": _column(str, INCHIKEY)}, unique=["compound_id"])

#: compounds that could not be standardised, and why
rejected_compounds = _table(
    {"compound_id": _column(str), "smiles": _column(str, nullable=True), "reason": _column(str)}
)

#: one row a plate whose fields were measured
profile_index = _table(
    {
        "plate_file": _column(str),
        "fields": _column(int, pa.Check.ge(1)),
        "without_nuclei": _column(int, pa.Check.ge(0)),
        "features": _column(int, pa.Check.ge(1)),
        "digest": _column(str),
    },
    unique=["plate_file"],
)


#: one row a field: features of any number and name, a user's too; columns named Metadata_... are carried along unread
field_profiles = pa.DataFrameSchema(
    {
        "field_id": _column(str),
        r"^(?!field_id$|Metadata_)": pa.Column(
            checks=pa.Check(
                lambda feature: feature.dtype.kind in "fiu",
                error="a column that is neither field_id nor Metadata_... is a feature, and must be numeric",
            ),
            nullable=True,  # the baseline, which needs a value, names the field
            regex=True,
            required=False,
        ),
    },
    coerce=True,
    unique=["field_id"],
)

#: one row a treated field with a known structure: what contrastive learning pairs (never a control)
pairs = _table(
    {
        **_field,
        "plate_file": _column(str),
        "row": _column(int, pa.Check.ge(0)),
        "inchikey": _column(str, INCHIKEY),
        "treatment": _column(str),  # InChIKey@concentration
    },
    unique=["field_id"],
)

#: which fold a compound is in
folds = _table({"inchikey": _column(str, INCHIKEY), "fold": _column(str, pa.Check.isin(FOLDS))}, unique=["inchikey"])

#: folds as a user's table gives them, by InChIKey, well or field; columns that are not needed may be missing
provided_folds = _table(
    {
        "inchikey": _column(str, INCHIKEY, nullable=True),
        "plate": _column(str, nullable=True),
        "well": _column(str, WELL, nullable=True),
        "site": _column("Int64", nullable=True),  # none: the whole well
        "fold": _column(str, nullable=True),  # which names are known is told with the row's number by the split
    },
    add_missing_columns=True,
)

#: one row an epoch of training
history = _table(
    {
        "epoch": _column(int),
        "step": _column(int),
        "train_loss": _column(float),
        "validation_loss": _column(float, nullable=True),
        # top-k accuracy in the full pool: mean of both directions, image query, structure query
        **{
            f"validation_top{k}{direction}": _column(float, nullable=True)
            for k in (1, 5, 10)
            for direction in ("", "_structure_retrieval", "_image_retrieval")
        },
        "inverse_temperature": _column(float),
        "learning_rate": _column(float),
        "gradient_norm": _column(float, nullable=True),  # mean, before clipping
        "fields_per_second": _column(float),
        "waiting_fraction": _column(float),  # share of the time of training spent waiting for data
        "best": _column(bool),  # by the metric that the study selects by
    },
    unique=["epoch"],
)

#: what ranks, metrics and differences are of; a column that says nothing about a task is empty
_setting = {
    "split": _column(str),
    "task": _column(str, pa.Check.isin(["retrieval", "zero-shot compound", "zero-shot MoA", "probing"])),
    "method": _column(str),  # CLOOME, Bilinear, Profiles, Untrained, Plate only, ..., Random (chance), Oracle (...)
    "images": _column(str),  # clean, or the name of a corruption
    "direction": _column(str, pa.Check.isin(["structure retrieval", "image retrieval"]), nullable=True),
    "pool": _column(str, pa.Check.isin(["full", "sampled", "same plate"]), nullable=True),
    "shown_by": _column(str, pa.Check.isin(["field", "mean"])),  # what stands for a compound or class: a field, or the
    # mean over its fields; of probing: whether a sample is a field or a compound
    "excluded": _column(
        str, nullable=True
    ),  # none, or which of a query's keys its candidates do not share: plate+compound
}

#: one row a query: the rank of its match among the candidates
ranks = _table(
    {
        **_setting,
        "draw": _column(int, pa.Check.ge(0)),  # of fields and candidates; 0 is the one that a publication would give
        "candidates": _column(int, pa.Check.ge(1)),  # size of the query's pool, the match included
        "query": _column(str),  # field_id or InChIKey
        "match": _column(str),  # InChIKey, field_id, or the name of a class
        "compound": _column(str, INCHIKEY),  # of the query: what intervals resample
        "rank": _column(int, pa.Check.ge(1)),
    }
)

#: one row a metric of any task, with what it rests on and its interval
metrics = _table(
    {
        **_setting,
        "draws": _column(int, pa.Check.ge(1)),  # 1: the publication's single draw; more: the mean over so many
        "candidates": _column(float, nullable=True),  # mean size of a query's pool
        "metric": _column(str),  # top-1, ..., mean rank, median rank; mean AUC, SD AUC, AUC > 0.9, ...
        "value": _column(float),
        "low": _column(float, nullable=True),
        "high": _column(float, nullable=True),
        "interval": _column(str, pa.Check.isin(["exact", "bootstrap", "none"])),  # bootstrap: over compounds
        "n": _column(int, pa.Check.ge(1)),  # queries of a draw, or assays
        "compounds": _column(int, pa.Check.ge(1)),  # that the queries are of, or that were tested
        "successes": _column("Int64", nullable=True),
        "spread": _column(float, nullable=True),  # standard deviation over draws
        "chance": _column(float, nullable=True),
        "split_hash": _column(str),
    }
)

#: one row a metric over all seeds of a variant
seeds_metrics = _table(
    {
        "table": _column(str),  # which the metric is of, e.g. retrieval_metrics
        **_setting,
        "draws": _column(int, pa.Check.ge(1)),
        "metric": _column(str),
        "value": _column(float, nullable=True),  # mean over seeds
        "spread": _column(float, nullable=True),  # standard deviation over seeds; none of a single one
        "lowest": _column(float, nullable=True),
        "highest": _column(float, nullable=True),
        "n_seeds": _column(int, pa.Check.ge(1)),
        "seeds": _column(str),  # e.g. 0, 1, 2
        "candidates": _column(float, nullable=True),
        "chance": _column(float, nullable=True),
        "split_hash": _column(str),
    },
    unique=["table", *_setting, "draws", "metric"],
)

#: one row a paired difference: the value of the row's setting minus that of the same with one thing otherwise
differences = _table(
    {
        **_setting,
        "against": _column(str),  # clean; excluded none; method Untrained; ...
        "metric": _column(str),
        "difference": _column(float),
        "low": _column(float),  # bootstrap over compounds
        "high": _column(float),
        "n": _column(int, pa.Check.ge(1)),  # queries (or assays) that both have
        "compounds": _column(int, pa.Check.ge(1)),
        "split_hash": _column(str),
    }
)

#: one row an assay and method: the probe's scores on the test fold, or why there are none
probing_scores = _table(
    {
        "split": _column(str),
        "method": _column(str),
        "images": _column(str),
        "shown_by": _column(str, pa.Check.isin(["field", "mean"])),
        "assay": _column(str),
        "scored": _column(bool),
        "reason": _column(str, nullable=True),  # of an assay that cannot be scored
        "c": _column(float, nullable=True),  # chosen by validation AUC
        "validation_auc": _column(float, nullable=True),
        **{name: _column(float, nullable=True) for name in ("auc", "f1", "average_precision", "mcc")},
        **{
            f"{fold}_{kind}": _column(int, pa.Check.ge(0))
            for fold in FOLDS
            for kind in ("actives", "inactives")  # samples, as fitted
        },
        "split_hash": _column(str),
    },
    unique=["method", "images", "shown_by", "assay"],
)

#: one row a corrupted field: how its image was changed, so that the row can be made again alone
corrupted_fields = _table(
    {
        "field_id": _column(str),
        "corruption": _column(str),
        "stage": _column(str, pa.Check.isin(["field", "crop"])),
        "seed": _column("Int64"),  # the field's own
        "settings": _column(str),  # JSON: what was drawn, e.g. {"flip_horizontal": true, "angle": -3.2}
        "black": _column(float, pa.Check.in_range(0, 1)),  # share of the encoder's input that was filled with black
        "augmentation": _column(bool),  # whether training had shown such images
        "digest": _column(str),  # of the embeddings that were made from it
    },
    unique=["corruption", "field_id"],
)

#: one row a field: nuclei found in it
cell_counts = _table({"field_id": _column(str), "nuclei": _column(float, pa.Check.ge(0))}, unique=["field_id"])

#: one row a pair of folds and kind of leak; examples of the worst pairs
leaks = _table(
    {
        "kind": _column(str, pa.Check.isin(["structure", "scaffold", "near-duplicate"])),
        "fold": _column(str, pa.Check.isin(FOLDS)),
        "other_fold": _column(str, pa.Check.isin(FOLDS)),
        "compounds": _column(int, pa.Check.ge(0)),  # of `fold` that have such a relative in `other_fold`
        "of": _column(int, pa.Check.ge(0)),  # compounds of `fold`
        "example": _column(str, nullable=True),
        "split_hash": _column(str),
    },
    unique=["kind", "fold", "other_fold"],
)

#: one row a treated well of plates that came as tables of profiles: its features, of any number and name
profile_wells = pa.DataFrameSchema(
    {
        "field_id": _column(str),  # plate/well
        "Metadata_Plate": _column(str),  # the physical plate, whatever it was imaged by
        "Metadata_Well": _column(str, WELL),
        "Metadata_InChIKey": _column(str, INCHIKEY),
        "Metadata_moa": _column(str),
        "Metadata_Count": _column(float, nullable=True),  # of cells, as a multiple of the plate's median
        r"^(?!field_id$|Metadata_)": _column(float, regex=True),
    },
    strict=True,
    coerce=True,
    unique=["field_id"],
)

#: treated wells of such plates that cannot be asked about, and why
rejected_profiles = _table({"field_id": _column(str), "reason": _column(str)})

#: the virtual screen's truth, read by the oracle rows and by tests only: one row a well
truth = pa.DataFrameSchema(
    {
        "plate": _column(str),
        "well": _column(str),
        "compound_id": _column(str, nullable=True),
        "mechanism": _column(str),
        "potency": _column(float),
        "phenotype_.*": _column(float, regex=True, required=False),  # what the compound does to a cell on average
        "realised_.*": _column(float, regex=True, required=False),  # what was drawn in this well
    },
    strict=True,
    coerce=True,
    unique=["plate", "well"],
)

#: one row a compound, named by the screen's own id or by InChIKey: what assays of any name found, 1 active, 0 inactive,
#: none where it was not measured
assay_labels = pa.DataFrameSchema(
    {
        "compound_id": pa.Column(str, unique=True, required=False),
        "inchikey": pa.Column(str, INCHIKEY, unique=True, required=False),
        r"^(?!(compound_id|inchikey)$)": _column(
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

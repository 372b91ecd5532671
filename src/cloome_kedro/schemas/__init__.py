"""The tables of the catalog, as pandera schemas (named by ``validator:`` in ``conf/base/catalog.yml``).

A table whose columns differ from its schema is refused when it is saved and when it is loaded.
"""

from cloome_kedro.schemas.base import FOLDS, empty
from cloome_kedro.schemas.results import (
    corrupted_fields,
    differences,
    history,
    metrics,
    probing_scores,
    ranks,
    seeds_metrics,
)
from cloome_kedro.schemas.screen import (
    assay_labels,
    cell_counts,
    compound_keys,
    compound_table,
    compounds,
    field_index,
    field_profiles,
    fields,
    folds,
    leaks,
    pairs,
    profile_index,
    profile_wells,
    provided_folds,
    rejected_compounds,
    rejected_fields,
    rejected_profiles,
    truth,
)

__all__ = [
    "FOLDS",
    "assay_labels",
    "cell_counts",
    "compound_keys",
    "compound_table",
    "compounds",
    "corrupted_fields",
    "differences",
    "empty",
    "field_index",
    "field_profiles",
    "fields",
    "folds",
    "history",
    "leaks",
    "metrics",
    "pairs",
    "probing_scores",
    "profile_index",
    "profile_wells",
    "provided_folds",
    "ranks",
    "rejected_compounds",
    "rejected_fields",
    "rejected_profiles",
    "seeds_metrics",
    "truth",
]

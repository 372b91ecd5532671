"""Nodes that all evaluations share. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import StudyParameters

logger = logging.getLogger(__name__)


def gather_methods(study: StudyParameters, examples, field_profiles=None, cell_counts=None, truth=None, **embeddings):
    """Gather all that answers questions about fields: ``methods``, the model that the study is about first.

    Parameters
    ----------
    field_profiles, cell_counts, truth : pandas.DataFrame
        Tables of these names, each of which may be empty; or None, and then there are models only.
    embeddings
        ``<model>_fields`` and ``<model>_compounds`` of each model, and ``untrained``, if the first model has an
        untrained counterpart.
    """
    from cloome_kedro.evaluation import methods

    names = [name.removesuffix("_fields") for name in embeddings if name.endswith("_fields")]
    models = {study.models[name]: (embeddings[f"{name}_fields"], embeddings[f"{name}_compounds"]) for name in names}
    others = None
    if field_profiles is not None:
        others = methods.Others(embeddings.get("untrained"), field_profiles, cell_counts, truth)
    return methods.gather_methods(examples, models, others)


def join_results(examples, **tables):
    """Join the results of all tasks: ``metrics``, ``differences``.

    Results that were found on other folds are left out, with a warning.

    Parameters
    ----------
    tables
        ``<task>_metrics`` and ``<task>_differences``, each of which may be empty.
    """
    import pandas as pd

    folds = examples["split_hash"].iloc[0]
    joined = []
    for kind in ("metrics", "differences"):
        found = []
        for name, table in tables.items():
            if not name.endswith(kind) or table.empty:
                continue
            if (table["split_hash"] == folds).all():
                found.append(table)
            else:
                logger.warning("%s is of other folds and left out: run its pipeline again", name)
        empty = next(table for name, table in tables.items() if name.endswith(kind)).iloc[:0]
        joined.append(pd.concat(found, ignore_index=True) if found else empty)
    return tuple(joined)

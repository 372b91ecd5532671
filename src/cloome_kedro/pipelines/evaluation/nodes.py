"""Nodes that all evaluations share. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

import logging

from cloome_kedro.parameters import CorrectionParameters, RetrievalParameters, StudyParameters
from cloome_kedro.parameters.evaluation import NO_CORRECTIONS

logger = logging.getLogger(__name__)


def gather_methods(
    study: StudyParameters,
    examples,
    fields=None,
    corrections: CorrectionParameters = NO_CORRECTIONS,
    field_profiles=None,
    cell_counts=None,
    truth=None,
    **embeddings,
):
    """Gather the ``methods`` of a split, the first model of the study first, corrected methods last.

    Parameters
    ----------
    fields : pandas.DataFrame
        Table of this name. Corrections read the plates and the controls.
    field_profiles, cell_counts, truth : pandas.DataFrame
        Tables of these names. Each may be empty. None: there are only models.
    embeddings
        ``<model>_fields`` and ``<model>_compounds`` of each model, and ``untrained`` if the first model has an
        untrained counterpart.
    """
    from cloome_kedro.evaluation import methods
    from cloome_kedro.evaluation.corrected_methods import Plates, correct_methods

    names = [name.removesuffix("_fields") for name in embeddings if name.endswith("_fields")]
    models = {study.models[name]: (embeddings[f"{name}_fields"], embeddings[f"{name}_compounds"]) for name in names}
    others, plates = None, Plates(fields, corrections.minimum_controls) if corrections.use else None
    if field_profiles is not None:
        controls = () if plates is None else plates.controls
        others = methods.OtherSources(embeddings.get("untrained"), field_profiles, cell_counts, truth, controls)
    gathered = methods.gather_methods(examples, models, others)
    if plates is None:
        return gathered
    return gathered | correct_methods(gathered, corrections.use, plates, corrections.methods)


def measure_replicates(pairs, field_profiles, retrieval: RetrievalParameters):
    """Find compounds on other plates by their profiles: ``replicate_metrics``."""
    from cloome_kedro.evaluation.replicates import replicate_retrieval
    from cloome_kedro.words import feature_columns

    profiles = field_profiles.set_index("field_id")[feature_columns(field_profiles)].reindex(pairs["field_id"])
    return replicate_retrieval(pairs, profiles.to_numpy(), retrieval.top_k, retrieval.confidence)


def join_results(examples, **tables):
    """Join the results of all tasks.

    Results that were computed with other folds are left out, with a warning.

    Parameters
    ----------
    tables
        ``<task>_metrics`` and ``<task>_differences``. Each may be empty.

    Returns
    -------
    metrics, differences
    """
    import pandas as pd

    folds_hash = examples["split_hash"].iloc[0]
    joined = []
    for kind in ("metrics", "differences"):
        tables_of_kind = {name: table for name, table in tables.items() if name.endswith(kind)}
        current = []
        for name, table in tables_of_kind.items():
            if table.empty:
                continue
            if (table["split_hash"] == folds_hash).all():
                current.append(table)
            else:
                logger.warning("%s was computed with other folds and is left out: run its pipeline again", name)
        empty = next(iter(tables_of_kind.values())).iloc[:0]
        joined.append(pd.concat(current, ignore_index=True) if current else empty)
    return tuple(joined)

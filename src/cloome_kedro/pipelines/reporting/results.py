"""Nodes that hand over what the report and the cards need of the screen and of a split, as one dataset each.

Arguments that are tables have the names of their schemas in :mod:`cloome_kedro.schemas`.
"""


def summarise_screen(*, fields, rejected_fields, compounds, rejected_compounds, merged_compounds, pairs, label_joins):
    """Count what the screen has, what was rejected and merged, and how labels were joined.

    Returns
    -------
    dict of str to pandas.DataFrame
        Tables of the report and of the data card: ``counts``, ``rejected_fields``, ``rejected_compounds``,
        ``stripped``, ``label_joins`` and ``plates``.
    """
    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.cards import plate_table
    from cloome_kedro.reporting.labels import label_join_table

    return {
        "counts": tables.data_summary(fields, rejected_fields, compounds, merged_compounds, pairs),
        "rejected_fields": tables.rejected_summary(rejected_fields, "field_id"),
        "rejected_compounds": tables.rejected_summary(rejected_compounds, "compound_id"),
        "stripped": tables.stripped_summary(compounds),
        "label_joins": label_join_table(label_joins),
        "plates": plate_table(fields),
    }


def collect_configs(**checkpoints):
    """Collect the configurations of the checkpoints of all models of a split.

    Parameters
    ----------
    checkpoints
        ``<model>_checkpoint`` of each model.

    Returns
    -------
    dict
        Name of a model -> configuration of its checkpoint.
    """
    return {name.removesuffix("_checkpoint"): checkpoint.config for name, checkpoint in checkpoints.items()}


def gather_results(metrics, differences, leaks, candidate_sets, examples, model_configs):
    """Gather what the report over all splits, its supplement and the cards read of one split.

    Returns
    -------
    dict
        The tables ``metrics``, ``differences``, ``leaks`` and ``candidate_sets``; ``folds``, the sizes of the folds;
        ``models``, the configurations of the models; and ``same_well``, a sentence about the layout of the plates.
    """
    from cloome_kedro.reporting.about import same_well_text
    from cloome_kedro.reporting.cards import fold_sizes

    return {
        "metrics": metrics,
        "differences": differences,
        "leaks": leaks,
        "candidate_sets": candidate_sets,
        "folds": fold_sizes(examples),
        "models": model_configs,
        "same_well": same_well_text(examples, "test"),
    }

"""Validation metrics of the downstream tasks, for trainings that keep an epoch by one."""

from typing import Any

from cloome_kedro.parameters import TASK_METRICS, ProbingParameters, TrainingParameters


def task_metrics(
    seen, compounds, assay_labels, compound_keys, training: TrainingParameters, probing: ProbingParameters, seed: int
):
    """The metrics of downstream tasks that ``training.fit.keep`` names, each of some seeded fields a compound.

    Parameters
    ----------
    seen : pandas.DataFrame
        Fields of the training and the validation fold: columns field_id, plate, well, inchikey, fold.
    compounds, assay_labels, compound_keys : pandas.DataFrame
        Tables of these names.
    training, probing
        ``probing`` says how ``probing_auc`` is measured.
    seed
        Of the fields and of references.

    Returns
    -------
    list of cloome_kedro.learning.validation.TaskMetric, str
        The metrics, and what tells apart the labels that they score by.

    Raises
    ------
    ValueError
        If one cannot be measured on this screen.
    """
    named = [name for name in training.fit.keep if name in TASK_METRICS]
    if not named:
        return [], ""
    import numpy as np
    import pandas as pd

    from cloome_kedro.evaluation.assays import labels_of_screen
    from cloome_kedro.evaluation.draws import draw_some
    from cloome_kedro.evaluation.validation import ProbingAuc, ZeroShotTop1
    from cloome_kedro.evaluation.zero_shot_protocols import classes_of
    from cloome_kedro.learning.validation import TaskMetric

    positions = draw_some(seen, training.validation_fields, seed)
    fields = seen.iloc[positions].reset_index(drop=True)
    classes = classes_of(fields[fields["fold"] == "validation"], compounds)
    zero_shot = {"zero_shot_compound_top1": "zero-shot compound", "zero_shot_moa_top1": "zero-shot MoA"}
    metrics, identity = [], ""
    score: Any
    for name in named:
        try:
            if name in zero_shot:
                asked = classes[zero_shot[name]]
                score = ZeroShotTop1.of(asked, seed)
                scored_by = asked[["field_id", "label"]]
            else:
                labels = labels_of_screen(assay_labels, compound_keys, fields["inchikey"].unique()).labels
                asked = fields[fields["inchikey"].isin(labels.index)]
                score = ProbingAuc.of(asked["inchikey"], asked["fold"], labels, probing.c_grid, probing.level)
                scored_by = labels.reset_index(names="inchikey")
        except ValueError as error:
            raise ValueError(
                f"training.fit.keep: {name} cannot be measured on the validation fold: {error}; keep by another metric"
            ) from error
        metrics.append(TaskMetric(name, positions[np.asarray(asked.index)], score))
        identity += f" {name} {pd.util.hash_pandas_object(scored_by, index=False).sum()}"
        if name == "probing_auc":
            identity += f" {probing.c_grid} {probing.level}"
    return metrics, identity

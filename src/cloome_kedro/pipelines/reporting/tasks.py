"""Nodes that describe what one split's embeddings are good for besides retrieval: each draws a task's figures and
writes its part of the split's section (HTML).

Tables are those of ``cloome_kedro.schemas``.
"""

from cloome_kedro.parameters import (
    ProbingParameters,
    ReportingParameters,
    RetrievalParameters,
    ZeroShotParameters,
)


def describe_zero_shot(
    zero_shot_ranks,
    zero_shot_metrics,
    zero_shot_differences,
    reporting: ReportingParameters,
    zero_shot: ZeroShotParameters,
    *,
    split: str,
):
    """Zero-shot classification, beside confounders and with references left out.

    Returns
    -------
    zero_shot_part (HTML), zero_shot_figure, zero_shot_rank_distribution
    """
    from cloome_kedro.reporting import task_tables, zero_shot_figures
    from cloome_kedro.reporting.report import data_uri, render

    text = {"title": f"{split} split", "note": reporting.note}
    accuracy = zero_shot_figures.zero_shot_accuracy(zero_shot_metrics, **text)
    distribution = zero_shot_figures.zero_shot_ranks(zero_shot_ranks, **text)
    tasks = [task for task in zero_shot_figures.TASKS if (zero_shot_metrics["task"] == task).any()]
    costs = {task: task_tables.exclusion_costs(zero_shot_differences, task) for task in tasks}
    part = render(
        "zero_shot.html.j2",
        confidence=zero_shot.confidence,
        tasks={task: task_tables.zero_shot_table(zero_shot_metrics, task) for task in tasks},
        exclusions={task: task_tables.exclusion_table(zero_shot_metrics, task) for task in tasks},
        costs={task: table for task, table in costs.items() if len(table)},
        differences=task_tables.method_differences(zero_shot_differences),
        accuracy=data_uri(accuracy),
        distribution=data_uri(distribution),
    )
    return part, accuracy, distribution


def describe_probing(
    probing_scores,
    probing_metrics,
    probing_differences,
    corruption_probing_scores,
    reporting: ReportingParameters,
    probing: ProbingParameters,
    *,
    split: str,
):
    """Linear probing of every assay.

    Returns
    -------
    probing_part (HTML), assay_auc
    """
    from cloome_kedro.reporting import task_tables
    from cloome_kedro.reporting.probing_figures import assay_auc
    from cloome_kedro.reporting.report import data_uri, render

    figure = assay_auc(probing_scores, corruption_probing_scores, title=f"{split} split", note=reporting.note)
    part = render(
        "probing.html.j2",
        compounds=probing.level == "compound",
        confidence=probing.confidence,
        scores=task_tables.probing_table(probing_metrics),
        differences=task_tables.method_differences(probing_differences, ("mean AUC",)),
        unscored=task_tables.unscored_assays(probing_scores),
        assays=data_uri(figure),
        assays_caption=(
            "AUC of every assay that can be scored. Left: in the order of CLOOME's, with how many lie above 0.9, 0.8"
            " and 0.7. Then all methods; boxes are quartiles. The line at 0.5 is chance."
            + (" Right: CLOOME on corrupted against clean images." if len(corruption_probing_scores) else "")
        ),
    )
    return part, figure


def describe_corruption(
    corruption_metrics,
    corruption_differences,
    corrupted_fields,
    retrieval_metrics,
    zero_shot_metrics,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    *,
    split: str,
):
    """What corruptions cost, beside the same on clean images.

    Returns
    -------
    corruption_part (HTML), corruption_figure
    """
    import pandas as pd

    from cloome_kedro.reporting import task_tables
    from cloome_kedro.reporting.corruption_figures import corruption_effects
    from cloome_kedro.reporting.report import data_uri, render
    from cloome_kedro.reporting.style import CLEAN

    tables = [table for table in (retrieval_metrics, zero_shot_metrics, corruption_metrics) if len(table)]
    metrics = pd.concat(tables, ignore_index=True)
    figure = corruption_effects(metrics, corruption_differences, title=f"{split} split", note=reporting.note)
    images = [name for name in corruption_metrics["images"].unique() if name != CLEAN]
    probed = {name: task_tables.probing_table(corruption_metrics, name) for name in images}
    part = render(
        "corruption.html.j2",
        confidence=retrieval.confidence,
        effects=task_tables.corruption_table(metrics, corruption_differences),
        corrupted=task_tables.corrupted_summary(corrupted_fields),
        probing={task_tables.corruption_label(name): table for name, table in probed.items() if len(table)},
        figure=data_uri(figure),
    )
    return part, figure

"""Nodes that describe zero-shot classification, probing and corruptions of a split.

Each node draws figures and writes a text: HTML that contains the names of the figures. Arguments that are tables have
the names of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import ProbingParameters, RetrievalParameters, StudyParameters, ZeroShotParameters


def describe_zero_shot(
    examples, zero_shot_ranks, metrics, differences, study: StudyParameters, zero_shot: ZeroShotParameters
):
    """Describe zero-shot classification by all methods and protocols.

    Returns
    -------
    zero_shot_text, zero_shot_accuracy_figure, zero_shot_ranks_figure
    """
    from cloome_kedro.reporting import task_tables, zero_shot_figures
    from cloome_kedro.reporting.about import same_well_text
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.small_screens import evaluable, reasons_by_task
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import CLEAN, ZERO_SHOT, ZERO_SHOT_COMPOUND

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    metrics = metrics[metrics["task"].isin(ZERO_SHOT) & (metrics["images"] == CLEAN)]
    differences = differences[differences["task"].isin(ZERO_SHOT) & (differences["images"] == CLEAN)]
    reasons = reasons_by_task(metrics, zero_shot.fold)
    metrics, differences = evaluable(metrics), differences[~differences["task"].isin(list(reasons))]
    tasks = [name for name in ZERO_SHOT if (metrics["task"] == name).any()]
    costs = {name: task_tables.exclusion_costs(differences, name, look) for name in tasks}
    part = render(
        "zero_shot.html.j2",
        look,
        confidence=zero_shot.confidence,
        reasons=[f"{task[0].upper()}{task[1:]} {reason}" for task, reason in reasons.items()],
        tasks={name: task_tables.zero_shot_table(metrics, name, look) for name in tasks},
        exclusions={name: task_tables.exclusion_table(metrics, name, look) for name in tasks},
        costs={name: table for name, table in costs.items() if len(table)},
        differences=task_tables.method_differences(differences[differences["method"] == look.model]),
        compound_task=ZERO_SHOT_COMPOUND,
        same_well=same_well_text(examples, zero_shot.fold),
    )
    return (
        part,
        zero_shot_figures.zero_shot_accuracy(metrics, look),
        zero_shot_figures.zero_shot_ranks(evaluable(zero_shot_ranks), look),
    )


def describe_probing(
    *,
    examples,
    probing_scores,
    metrics,
    differences,
    study: StudyParameters,
    probing: ProbingParameters,
    corrupted_probing_scores=None,
):
    """Describe linear probing of every assay.

    Parameters
    ----------
    corrupted_probing_scores
        Table ``probing_scores`` for corrupted images. None if no model sees images.

    Returns
    -------
    probing_text, assay_auc_figure
    """
    from cloome_kedro.reporting import task_tables
    from cloome_kedro.reporting.probing_figures import assay_auc
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import CLEAN, PROBING

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    corrupted = probing_scores.iloc[:0] if corrupted_probing_scores is None else corrupted_probing_scores
    differences = differences[(differences["task"] == PROBING) & (differences["images"] == CLEAN)]
    caption = (
        f"AUC of every assay that can be scored. First panel: assays in the order of the AUC of {look.model}, with the"
        " number of assays above 0.9, 0.8 and 0.7. Second panel: all methods. Boxes show quartiles. The line at 0.5 is"
        " chance."
    )
    if len(corrupted):
        caption += f" Third panel: {look.model} on corrupted against clean images."
    part = render(
        "probing.html.j2",
        look,
        compounds=probing.level == "compound",
        left_out=probing.unscorable == "leave_out",
        confidence=probing.confidence,
        scores=task_tables.probing_table(metrics, look),
        differences=task_tables.method_differences(differences[differences["method"] == look.model], ("mean AUC",)),
        unscored=task_tables.unscored_assays(probing_scores, look),
        assays_caption=caption,
    )
    return part, assay_auc(probing_scores, corrupted, look)


def describe_corruption(
    *,
    examples,
    corrupted_fields,
    retrieval_ranks,
    corruption_ranks,
    metrics,
    differences,
    study: StudyParameters,
    retrieval: RetrievalParameters,
):
    """Describe the results of the first model on corrupted images, and the differences from clean images.

    Returns
    -------
    corruption_text, corruption_effects_figure, corruption_ranks_figure
    """
    from cloome_kedro.reporting import corruption_figures, task_tables
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.small_screens import evaluable
    from cloome_kedro.reporting.style import Look, corruption_label
    from cloome_kedro.words import CLEAN

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    metrics, retrieval_ranks, corruption_ranks = map(evaluable, (metrics, retrieval_ranks, corruption_ranks))
    images = [name for name in metrics["images"].unique() if name != CLEAN]
    seen = dict(zip(corrupted_fields["corruption"], corrupted_fields["augmentation"], strict=True))
    probing = {
        corruption_label(name, seen.get(name, "no")): task_tables.probing_table(metrics, look, name) for name in images
    }
    part = render(
        "corruption.html.j2",
        look,
        confidence=retrieval.confidence,
        effects=task_tables.corruption_table(metrics, differences, look, seen),
        corrupted=task_tables.corrupted_summary(corrupted_fields),
        probing={label: table for label, table in probing.items() if len(table)},
    )
    return (
        part,
        corruption_figures.corruption_effects(metrics, differences, look, seen),
        corruption_figures.corruption_ranks(retrieval_ranks, corruption_ranks, look, seen),
    )

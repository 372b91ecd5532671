"""Nodes that describe what a split's embeddings are good for besides retrieval.

Each draws figures and writes a text, HTML that names its figures. Tables are those of :mod:`cloome_kedro.schemas` of
the same name.
"""

from cloome_kedro.parameters import ProbingParameters, RetrievalParameters, StudyParameters, ZeroShotParameters


def describe_zero_shot(
    examples, zero_shot_ranks, metrics, differences, study: StudyParameters, zero_shot: ZeroShotParameters
):
    """Describe zero-shot classification, beside confounders and with references left out.

    Returns
    -------
    zero_shot_text, zero_shot_accuracy_figure, zero_shot_ranks_figure
    """
    from cloome_kedro.reporting import task_tables, zero_shot_figures
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import CLEAN, ZERO_SHOT

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    metrics = metrics[metrics["task"].isin(ZERO_SHOT) & (metrics["images"] == CLEAN)]
    differences = differences[differences["task"].isin(ZERO_SHOT) & (differences["images"] == CLEAN)]
    asked = [question for question in ZERO_SHOT if (metrics["task"] == question).any()]
    costs = {question: task_tables.exclusion_costs(differences, question, look) for question in asked}
    part = render(
        "zero_shot.html.j2",
        look,
        confidence=zero_shot.confidence,
        tasks={question: task_tables.zero_shot_table(metrics, question, look) for question in asked},
        exclusions={question: task_tables.exclusion_table(metrics, question, look) for question in asked},
        costs={question: table for question, table in costs.items() if len(table)},
        differences=task_tables.method_differences(differences[differences["method"] == look.model]),
    )
    return (
        part,
        zero_shot_figures.zero_shot_accuracy(metrics, look),
        zero_shot_figures.zero_shot_ranks(zero_shot_ranks, look),
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
        Table ``probing_scores`` on corrupted images; None where no model sees images.

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
    part = render(
        "probing.html.j2",
        look,
        compounds=probing.level == "compound",
        confidence=probing.confidence,
        scores=task_tables.probing_table(metrics, look),
        differences=task_tables.method_differences(differences[differences["method"] == look.model], ("mean AUC",)),
        unscored=task_tables.unscored_assays(probing_scores, look),
        assays_caption=(
            f"AUC of every assay that can be scored. Left: in the order of {look.model}'s, with how many lie above 0.9,"
            " 0.8 and 0.7. Then all methods; boxes are quartiles. The line at 0.5 is chance."
            + (f" Right: {look.model} on corrupted against clean images." if len(corrupted) else "")
        ),
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
    """Describe what corruptions cost the first model, beside the same on clean images.

    Returns
    -------
    corruption_text, corruption_effects_figure, corruption_ranks_figure
    """
    from cloome_kedro.reporting import corruption_figures, task_tables
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look, corruption_label
    from cloome_kedro.words import CLEAN

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    images = [name for name in metrics["images"].unique() if name != CLEAN]
    probed = {corruption_label(name): task_tables.probing_table(metrics, look, name) for name in images}
    part = render(
        "corruption.html.j2",
        look,
        confidence=retrieval.confidence,
        effects=task_tables.corruption_table(metrics, differences, look),
        corrupted=task_tables.corrupted_summary(corrupted_fields),
        probing={label: table for label, table in probed.items() if len(table)},
    )
    return (
        part,
        corruption_figures.corruption_effects(metrics, differences, look),
        corruption_figures.corruption_ranks(retrieval_ranks, corruption_ranks, look),
    )

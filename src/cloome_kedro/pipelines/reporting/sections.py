"""Nodes that describe the models, retrieval and embeddings of a split, and join the split's section of the report.

A node ``describe_...`` draws figures and writes a text: HTML that contains the names of the figures.
:func:`put_in_figures` makes a part of the section from a text and its figures. Arguments that are tables have the names
of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters, StudyParameters

#: name of each part of a section -> its heading, in the order of the section
HEADINGS = {
    "training": "Folds and training",
    "tuning": "Hyperparameter search",
    "retrieval": "Retrieval",
    "zero_shot": "Zero-shot",
    "probing": "Probing",
    "corruption": "Corruption",
    "uncertainty": "How sure an answer is",
    "embedding": "Embeddings",
}


def describe_training(examples, compounds, leaks, study: StudyParameters, **models):
    """Describe the folds with their leaks, and the models with their training.

    Parameters
    ----------
    models
        ``<model>_checkpoint`` and ``<model>_history`` of each model that was trained in epochs, ``<model>_selection``
        of the others; also ``<model>_pretraining_history`` of each model that was pre-trained.

    Returns
    -------
    training_text, training_curves_figure
    """
    from cloome_kedro.reporting import figures, tables
    from cloome_kedro.reporting.pretraining import pretraining_table
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.selections import selection_table
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.task_tables import leak_table

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)

    def by_label(kind):
        return {label: models[key] for name, label in study.models.items() if (key := f"{name}_{kind}") in models}

    checkpoints, histories = by_label("checkpoint"), by_label("history")
    # The curves are those of the first model that was trained in epochs.
    shown, history = next(iter(histories.items()), (look.model, None))
    curves = figures.training_curves(history, look) if history is not None else look.message("No model has epochs.")
    part = render(
        "training.html.j2",
        look,
        summary=tables.training_summary(history) if shown == look.model and history is not None else "",
        models=tables.model_table(checkpoints, histories),
        pretrainings=pretraining_table(by_label("pretraining_history")),
        selections=selection_table(by_label("selection"), study.models),
        shown=shown,
        folds=tables.split_summary(examples, compounds),
        split_hash=examples["split_hash"].iloc[0],
        leaks=leak_table(leaks),
        trained=history is not None and len(history),
    )
    return part, curves


def describe_retrieval(
    *,
    retrieval_ranks,
    metrics,
    differences,
    field_embeddings,
    compound_embeddings,
    fields,
    compounds,
    study: StudyParameters,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
    plate_store=None,
):
    """Describe retrieval by all methods, and draw a gallery of the first model.

    Parameters
    ----------
    plate_store
        None: the screen has no images, and there is no gallery.

    Returns
    -------
    retrieval_text, retrieval_accuracy_figure, rank_distribution_figure, and retrieval_gallery_figure if the screen has
    images
    """
    from cloome_kedro.reporting import figures, tables
    from cloome_kedro.reporting.gallery import retrieval_gallery
    from cloome_kedro.reporting.montage import field_reader
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.small_screens import evaluable, why_not
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.task_tables import method_differences
    from cloome_kedro.words import CLEAN, RETRIEVAL

    look = Look(f"{retrieval_ranks['split'].iloc[0]} split", study.note, study.models)
    metrics = metrics[(metrics["task"] == RETRIEVAL) & (metrics["images"] == CLEAN)]
    differences = differences[(differences["task"] == RETRIEVAL) & (differences["images"] == CLEAN)]
    reason = why_not(metrics, RETRIEVAL, retrieval.fold)
    metrics, ranks = evaluable(metrics), evaluable(retrieval_ranks)
    part = render(
        "retrieval.html.j2",
        look,
        reason=reason,
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        metrics=tables.retrieval_tables(metrics, look),
        differences=method_differences(differences[differences["method"] == look.model]),
        bilinear=study.models.get("bilinear"),
        has_images=plate_store is not None,
        has_oracle=bool(metrics["method"].str.startswith("Oracle").any()),
        gallery_caption=(
            f"The compounds are drawn at random from the {retrieval.fold} fold (seed {seed}). The candidates are those"
            f" of the full pool: one field of each {retrieval.fold} compound."
        ),
    )
    if reason:
        return part, *[look.message(f"Retrieval {reason}.")] * (2 if plate_store is None else 3)
    drawn = figures.top_k_bars(metrics, look), figures.rank_distribution(ranks, look)
    if plate_store is None:
        return part, *drawn
    gallery = retrieval_gallery(
        ranks,
        (field_embeddings, compound_embeddings),
        compounds,
        field_reader(plate_store, fields),
        look,
        queries=reporting.gallery_queries,
        hits=reporting.gallery_hits,
        seed=seed,
    )
    return part, *drawn, gallery


def describe_embeddings(
    *,
    field_embeddings,
    compound_embeddings,
    examples,
    study: StudyParameters,
    retrieval: RetrievalParameters,
    seed: int,
):
    """Describe the embeddings of the fold of retrieval: a map, and the gap between images and compounds.

    Returns
    -------
    embedding_text, embedding_map_figure, modality_gap_figure
    """
    import pandas as pd

    from cloome_kedro.evaluation.features import unit_rows
    from cloome_kedro.evaluation.modality_gap import modality_gap
    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.reporting.embedding_figures import embedding_map, modality_gap_figure
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import counted

    look = Look(f"{examples['split'].iloc[0]} split, {retrieval.fold} compounds", study.note, study.models)
    fields = fold_fields(examples, retrieval.fold)
    fields = fields[field_embeddings.knows(fields["field_id"])]
    match, keys = pd.factorize(fields["inchikey"])
    images, compounds = field_embeddings.of(fields["field_id"]), compound_embeddings.of(keys)
    if not field_embeddings.meta.get("normalised", True):
        images, compounds = unit_rows(images), unit_rows(compounds)
    counts = f"{counted(len(images), 'field')} of {counted(len(keys), f'{retrieval.fold} compound')}"
    if len(keys) < 2 or len(images) < 3:
        reason = f"Too few to draw: {counts}."
        return (
            render("embedding.html.j2", look, summary=reason, drawn=False),
            look.message(reason),
            look.message(reason),
        )
    gap = modality_gap(images, compounds, match, seed)
    part = render(
        "embedding.html.j2",
        look,
        summary=(
            f"{counts}. The modality gap is {gap.distance:.3f}. It is the distance between the centroids of images and"
            " compounds (0: no gap, 2: opposite centroids). A matched pair has a higher cosine than an unmatched pair"
            f" in {100 * gap.separation:.1f} % of cases (chance: 50 %). The mean cosine is {gap.matched.mean():.3f} for"
            f" matched pairs and {gap.unmatched.mean():.3f} for unmatched pairs."
        ),
        drawn=True,
    )
    map_figure = embedding_map(images, fields["moa"], fields["plate"], look, seed=seed)
    return part, map_figure, modality_gap_figure(gap, images, compounds, look)


def put_in_figures(text, **figures):
    """Replace the names of figures in a text by the figures.

    Parameters
    ----------
    text
        HTML of a node ``describe_...``.
    figures
        ``<name>_figure`` as data URIs.
    """
    from cloome_kedro.reporting.report import embed

    return embed(text, {name.removesuffix("_figure"): uri for name, uri in figures.items()})


def write_section(examples, later_parts, study: StudyParameters, **parts):
    """Join the parts of a split into its section. Empty parts are left out.

    The part about a hyperparameter search is also left out if the search used other folds.

    Parameters
    ----------
    later_parts : dict of str to str
        Parts of other pipelines as HTML, by their paths. The one of this split's search is taken.
    parts
        ``<name>_part`` as HTML, with names in :data:`HEADINGS`.

    Returns
    -------
    report_section
    """
    from cloome_kedro.reporting.report import render_section
    from cloome_kedro.reporting.style import Look

    split, folds_hash = str(examples["split"].iloc[0]), str(examples["split_hash"].iloc[0])
    searches = [part for path, part in later_parts.items() if path.startswith(f"{split}/") and folds_hash in part]
    parts["tuning_part"] = "".join(searches)
    by_heading = {heading: parts.get(f"{name}_part", "") for name, heading in HEADINGS.items()}
    by_heading = {heading: part for heading, part in by_heading.items() if part}
    return render_section(split, by_heading, Look(models=study.models))

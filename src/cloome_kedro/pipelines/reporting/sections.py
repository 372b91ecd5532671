"""Nodes that describe one split's training, retrieval and embeddings, and join its section of the report (HTML).

Tables are those of ``cloome_kedro.schemas``.
"""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters


def describe_training(history, leaks, folds, compounds, pairs, reporting: ReportingParameters, *, split: str):
    """Folds, what they share, and the training.

    Returns
    -------
    training_part (HTML), training_curves
    """
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.reporting import figures, tables
    from cloome_kedro.reporting.report import data_uri, render
    from cloome_kedro.reporting.task_tables import leak_table

    curves = figures.training_curves(history, title=f"{split} split", note=reporting.note)
    part = render(
        "training.html.j2",
        summary=tables.training_summary(history),
        folds=tables.split_summary(folds, compounds, pairs),
        split_hash=split_hash(folds),
        leaks=leak_table(leaks),
        trained=len(history),
        curves=data_uri(curves),
    )
    return part, curves


def describe_retrieval(
    retrieval_ranks,
    bilinear_ranks,
    oracle_ranks,
    retrieval_metrics,
    retrieval_differences,
    image_embeddings,
    structure_embeddings,
    plate_store,
    fields,
    compounds,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
    *,
    split: str,
):
    """Retrieval beside its baselines, and a gallery.

    Returns
    -------
    retrieval_part (HTML), rank_distribution, retrieval_gallery
    """
    import pandas as pd

    from cloome_kedro.reporting import figures, tables
    from cloome_kedro.reporting.gallery import retrieval_gallery
    from cloome_kedro.reporting.montage import field_reader
    from cloome_kedro.reporting.report import data_uri, render
    from cloome_kedro.reporting.style import BASELINE
    from cloome_kedro.reporting.task_tables import method_differences

    text = {"title": f"{split} split", "note": reporting.note}
    ranks = [table for table in (retrieval_ranks, bilinear_ranks, oracle_ranks) if len(table)]
    distribution = figures.rank_distribution(pd.concat(ranks, ignore_index=True), **text)
    gallery = retrieval_gallery(
        retrieval_ranks,
        image_embeddings,
        structure_embeddings,
        compounds,
        field_reader(plate_store, fields),
        queries=reporting.gallery_queries,
        hits=reporting.gallery_hits,
        seed=seed,
        **text,
    )
    part = render(
        "retrieval.html.j2",
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        metrics=tables.retrieval_tables(retrieval_metrics),
        differences=method_differences(retrieval_differences),
        has_baseline=bool((retrieval_metrics["method"] == BASELINE).any()),
        has_oracle=bool(retrieval_metrics["method"].str.startswith("Oracle").any()),
        bars=data_uri(figures.top_k_bars(retrieval_metrics, **text)),
        distribution=data_uri(distribution),
        gallery=data_uri(gallery, photographic=True),
        gallery_caption=(
            f"Drawn at random from the {retrieval.fold} compounds (seed {seed}), not chosen. The candidates are"
            f" those of the full pool: one field of each {retrieval.fold} compound."
        ),
    )
    return part, distribution, gallery


def describe_embeddings(
    image_embeddings,
    structure_embeddings,
    pairs,
    compounds,
    folds,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
    *,
    split: str,
):
    """Map of the fold that retrieval is of, and the gap between images and structures.

    Returns
    -------
    embedding_part (HTML), embedding_map, modality_gap
    """
    import pandas as pd

    from cloome_kedro.evaluation.modality_gap import modality_gap
    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.reporting.embedding_figures import embedding_map, modality_gap_figure
    from cloome_kedro.reporting.report import data_uri, render
    from cloome_kedro.reporting.style import message

    text = {"title": f"{split} split, {retrieval.fold} compounds", "note": reporting.note}
    fields = fold_fields(pairs, folds, retrieval.fold, split)
    images = image_embeddings.of(fields["field_id"].to_numpy())
    keys, match = pd.factorize(fields["inchikey"])[::-1]
    structures = structure_embeddings.of(keys.to_numpy())
    counts = f"{len(images):,} fields of {len(keys):,} {retrieval.fold} compounds"
    if len(keys) < 2 or len(images) < 3:
        few = f"Too few to draw: {counts}."
        figures = [message(few, **text), message(few, **text)]
        return render("embedding.html.j2", summary=few, map=None, gap=None), *figures
    mechanisms = fields["inchikey"].map(compounds.set_index("inchikey")["moa"])
    drawn = embedding_map(images, mechanisms, fields["plate"], seed=seed, **text)
    gap = modality_gap(images, structures, match, seed)
    gap_drawn = modality_gap_figure(gap, images, structures, **text)
    part = render(
        "embedding.html.j2",
        summary=(
            f"{counts}. The centroids of images and structures lie {gap.distance:.3f} apart (modality gap; 0: none, 2:"
            f" opposite); a matched pair has the higher cosine than an unmatched one in {100 * gap.separation:.1f} % of"
            f" cases (chance 50 %). The mean cosine of matched pairs is {gap.matched.mean():.3f}, of unmatched ones"
            f" {gap.unmatched.mean():.3f}."
        ),
        map=data_uri(drawn),
        gap=data_uri(gap_drawn),
    )
    return part, drawn, gap_drawn


def join_section(
    training_part,
    tuning_part,
    retrieval_part,
    zero_shot_part,
    probing_part,
    corruption_part,
    embedding_part,
    retrieval_metrics,
    zero_shot_metrics,
    probing_metrics,
    *,
    split: str,
):
    """The split's section, without parts that are empty, and the cards of its main results.

    Returns
    -------
    report_section (HTML), report_cards
    """
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.report import render_section

    parts = {
        "Folds and training": training_part,
        "Hyperparameter search": tuning_part,
        "Retrieval": retrieval_part,
        "Zero-shot": zero_shot_part,
        "Probing": probing_part,
        "Corruption": corruption_part,
        "Embeddings": embedding_part,
    }
    found = {heading: part for heading, part in parts.items() if part}
    return render_section(split, found), headline(retrieval_metrics, zero_shot_metrics, probing_metrics)

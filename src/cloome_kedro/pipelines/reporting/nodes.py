"""Nodes of the pipeline ``reporting``. Tables are those of ``cloome_kedro.schemas``."""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters

SIMULATED_NOTE = "simulated data"


def describe_split(
    history,
    retrieval_ranks,
    retrieval_metrics,
    image_embeddings,
    structure_embeddings,
    plate_store,
    fields,
    pairs,
    compounds,
    folds,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
):
    """Draw one split's figures and write its part of the report.

    Returns
    -------
    report_section (HTML), training_curves, rank_distribution, retrieval_gallery (figures)
    """
    from cloome_kedro.reporting import figures, tables
    from cloome_kedro.reporting.gallery import retrieval_gallery
    from cloome_kedro.reporting.montage import field_reader
    from cloome_kedro.reporting.report import data_uri, render_section

    split = retrieval_metrics["split"].iloc[0]
    text = {"title": f"{split} split", "note": SIMULATED_NOTE if reporting.simulated else ""}
    curves = figures.training_curves(history, **text)
    distribution = figures.rank_distribution(retrieval_ranks, **text)
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
    section = render_section(
        split,
        summary=tables.training_summary(history),
        folds=tables.split_summary(folds, compounds, pairs),
        split_hash=retrieval_metrics["split_hash"].iloc[0],
        fold=retrieval.fold,
        confidence=f"{100 * retrieval.confidence:g} %",
        metrics=tables.retrieval_tables(retrieval_metrics),
        has_baseline=bool((retrieval_metrics["method"] == figures.BASELINE).any()),
        has_oracle=bool(retrieval_metrics["method"].str.startswith("Oracle").any()),
        curves=data_uri(curves),
        bars=data_uri(figures.top_k_bars(retrieval_metrics, **text)),
        distribution=data_uri(distribution),
        gallery=data_uri(gallery, photographic=True),
        gallery_caption=(
            f"Drawn at random from the {retrieval.fold} compounds (seed {seed}), not chosen. The candidates are"
            f" those of the full pool: one field of each {retrieval.fold} compound."
        ),
    )
    return section, curves, distribution, gallery


def write_report(
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
    fields,
    rejected_fields,
    compounds,
    rejected_compounds,
    pairs,
    plate_store,
    *sections_and_metrics,
):
    """Join the splits' parts into one HTML file, and write the retrieval table as text for the terminal.

    Parameters
    ----------
    sections_and_metrics : the ``report_section`` of every split, then, in the same order, their ``retrieval_metrics``

    Returns
    -------
    report (HTML), retrieval_summary (text)
    """
    import pandas as pd

    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.montage import field_reader, sample_panels
    from cloome_kedro.reporting.report import data_uri, render_report

    half = len(sections_and_metrics) // 2
    parts, results = sections_and_metrics[:half], sections_and_metrics[half:]
    metrics = pd.concat(results, ignore_index=True)
    note = SIMULATED_NOTE if reporting.simulated else ""
    names = pairs.merge(compounds, on="inchikey").set_index("field_id")["name"]
    panels = sample_panels(fields, field_reader(plate_store, fields), names, seed, note)
    report = render_report(
        {result["split"].iloc[0]: part for part, result in zip(parts, results, strict=True)},
        title=reporting.title,
        simulated=reporting.simulated,
        fold=retrieval.fold,
        confidence=f"{100 * retrieval.confidence:g} %",
        headline=tables.headline(metrics),
        data=tables.data_summary(fields, rejected_fields, compounds, pairs),
        rejected_fields=tables.rejected_summary(rejected_fields, "field_id"),
        rejected_compounds=tables.rejected_summary(rejected_compounds, "compound_id"),
        panels=data_uri(panels, photographic=True),
        panels_caption=(
            f"A control and treated fields drawn at random (seed {seed}). Composite of Mito red, ER green, RNA teal,"
            " AGP orange and DNA blue, then each channel in grey. All at one contrast."
        ),
    )
    return report, tables.format_retrieval(metrics, reporting.simulated, retrieval.confidence)

"""Nodes of the report over all splits. Tables are those of ``cloome_kedro.schemas``."""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters


def draw_figure_1(fields, plate_store, reporting: ReportingParameters, seed: int):
    """Draw the publication's figure 1, corruptions of one field, from a treated field of this screen.

    Returns
    -------
    figure_1, figure_1_pdf (the same figure), figure_1_part (HTML)
    """
    from cloome_kedro.reporting.corruption_figures import figure_1
    from cloome_kedro.reporting.montage import field_reader
    from cloome_kedro.reporting.report import data_uri, render

    treated = fields.loc[~fields["control"], "field_id"]
    shown = treated if len(treated) else fields["field_id"]
    figure, field_id = figure_1(shown, field_reader(plate_store, fields), seed, reporting.note)
    part = render("figure_1.html.j2", source=data_uri(figure, photographic=True), field_id=field_id, seed=seed)
    return figure, figure, part


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
    figure_1_part,
    supplement_section,
    *of_splits,
):
    """Join the splits' sections into one HTML file, and write the retrieval table as text for the terminal.

    Parameters
    ----------
    of_splits : the ``report_section`` of every split, then, in the same order, their ``report_cards``, then their
        ``retrieval_metrics``

    Returns
    -------
    report (HTML), retrieval_summary (text)
    """
    import pandas as pd

    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.montage import field_reader, sample_panels
    from cloome_kedro.reporting.report import data_uri, render_report

    count = len(of_splits) // 3
    sections, cards, results = (of_splits[i * count : (i + 1) * count] for i in range(3))
    metrics = pd.concat(results, ignore_index=True)
    names = pairs.merge(compounds, on="inchikey").set_index("field_id")["name"]
    panels = sample_panels(fields, field_reader(plate_store, fields), names, seed, reporting.note)
    report = render_report(
        {result["split"].iloc[0]: section for section, result in zip(sections, results, strict=True)},
        supplement_section,
        title=reporting.title,
        simulated=reporting.simulated,
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        cards=[card for of_split in cards for card in of_split],
        data=tables.data_summary(fields, rejected_fields, compounds, pairs),
        rejected_fields=tables.rejected_summary(rejected_fields, "field_id"),
        rejected_compounds=tables.rejected_summary(rejected_compounds, "compound_id"),
        panels=data_uri(panels, photographic=True),
        panels_caption=(
            f"A control and treated fields drawn at random (seed {seed}). Composite of Mito red, ER green, RNA teal,"
            " AGP orange and DNA blue, then each channel in grey. All at one contrast."
        ),
        figure_1=figure_1_part,
    )
    return report, tables.format_retrieval(metrics, reporting.simulated, retrieval.confidence)

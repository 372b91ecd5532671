"""Nodes of the report over all splits. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters, StudyParameters


def describe_data(
    *,
    fields,
    rejected_fields,
    compounds,
    rejected_compounds,
    pairs,
    plate_store,
    study: StudyParameters,
    seed: int,
):
    """Describe the screen, with some of its fields.

    Returns
    -------
    data_text, fields_figure
    """
    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.montage import field_reader, sample_panels
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look

    part = render(
        "data.html.j2",
        Look(models=study.models),
        counts=tables.data_summary(fields, rejected_fields, compounds, pairs),
        rejected_fields=tables.rejected_summary(rejected_fields, "field_id"),
        rejected_compounds=tables.rejected_summary(rejected_compounds, "compound_id"),
        panels_caption=(
            f"A control and treated fields drawn at random (seed {seed}). Composite of Mito red, ER green, RNA teal,"
            " AGP orange and DNA blue, then each channel in grey. All at one contrast."
        ),
    )
    names = pairs.merge(compounds, on="inchikey").set_index("field_id")["name"]
    return part, sample_panels(fields, field_reader(plate_store, fields), names, seed, study.note)


def draw_figure_1(fields, plate_store, study: StudyParameters, seed: int):
    """Draw the publication's figure 1, corruptions of one field, from a treated field of this screen.

    Returns
    -------
    figure_1_text, figure_1
    """
    from cloome_kedro.reporting.corruption_figures import figure_1
    from cloome_kedro.reporting.montage import field_reader
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look

    treated = fields.loc[~fields["control"], "field_id"]
    shown = treated if len(treated) else fields["field_id"]
    figure, field_id = figure_1(shown, field_reader(plate_store, fields), seed, study.note)
    return render("figure_1.html.j2", Look(models=study.models), field_id=field_id, seed=seed), figure


def write_supplement(study: StudyParameters, reporting: ReportingParameters, **of_splits):
    """Fill the publication's supplementary tables with what every split found, beside what was published.

    Parameters
    ----------
    of_splits
        ``<split>_metrics``, ``<split>_differences`` and ``<split>_leaks`` of every split.

    Returns
    -------
    list
        The tables in the order of :data:`cloome_kedro.reporting.sheets.SHEETS`, then the audits.
    """
    import pandas as pd

    from cloome_kedro.reporting.audits import audit_table
    from cloome_kedro.reporting.sheets import SHEETS
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.supplement import supplement_tables, whose_data

    look = Look(note=study.note, models=study.models)
    metrics, differences = (pd.concat(_by_split(of_splits, kind), ignore_index=True) for kind in _RESULTS)
    leaks = [table.assign(split=split) for split, table in _by_split(of_splits, "leaks").items()]
    whose = whose_data(study.screen, study.simulated, reporting.published_screen)
    supplement = supplement_tables(metrics, whose, look)
    audits = audit_table(metrics, differences, pd.concat(leaks, ignore_index=True), whose, look)
    return [*(supplement[sheet.name] for sheet in SHEETS), audits]


def write_report(
    *,
    data_text,
    fields_figure,
    figure_1_text,
    figure_1,
    supplement_audits,
    study: StudyParameters,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    **pieces,
):
    """Join everything into one HTML file, and write the main results as text for the terminal.

    Parameters
    ----------
    pieces
        ``<split>_section`` and ``<split>_metrics`` of every split, and ``supplement_table_<name>`` of every
        supplementary table.

    Returns
    -------
    report (HTML), summary (text)
    """
    import pandas as pd

    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.report import embed, render_report
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.supplement import NOTHING, whose_data
    from cloome_kedro.reporting.tasks_text import format_tasks
    from cloome_kedro.words import RETRIEVAL

    look = Look(note=study.note, models=study.models)
    by_split = _by_split(pieces, "metrics")
    supplement = [table for name, table in pieces.items() if name.startswith("supplement_table_")]
    report = render_report(
        _by_split(pieces, "section"),
        embed(data_text + figure_1_text, {"fields": fields_figure, "figure_1": figure_1}),
        look,
        title=reporting.title,
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        cards=[card for metrics in by_split.values() for card in headline(metrics, look)],
        whose=whose_data(study.screen, study.simulated, reporting.published_screen),
        tables=[*(table for table in supplement if NOTHING not in table.notes), supplement_audits],
        missing=[table.title for table in supplement if NOTHING in table.notes],
    )
    metrics = pd.concat(by_split, ignore_index=True)
    of_retrieval = metrics[metrics["task"] == RETRIEVAL]
    texts = [
        tables.format_retrieval(of_retrieval, look, retrieval.confidence),
        format_tasks(metrics, look, retrieval.confidence),
    ]
    return report, "\n\n".join(text for text in texts if text)


_RESULTS = ("metrics", "differences")


def _by_split(pieces, kind: str) -> dict:
    """Pieces of one kind, by split."""
    return {name.removesuffix(f"_{kind}"): piece for name, piece in pieces.items() if name.endswith(f"_{kind}")}

"""Nodes of the report over all splits.

Arguments that are tables have the names of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters, StudyParameters


def describe_data(
    *,
    fields,
    rejected_fields,
    compounds,
    rejected_compounds,
    merged_compounds,
    pairs,
    study: StudyParameters,
    seed: int,
    plate_store=None,
    replicate_metrics=None,
):
    """Describe the screen, and draw some of its fields.

    Parameters
    ----------
    plate_store
        None: the screen has no images.
    replicate_metrics
        Table of this name, only for screens without images.

    Returns
    -------
    data_text, fields_figure; or only data_text, if the screen has no images
    """
    from cloome_kedro.reporting import tables
    from cloome_kedro.reporting.montage import field_reader, sample_panels
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look

    part = render(
        "data.html.j2",
        Look(models=study.models),
        counts=tables.data_summary(fields, rejected_fields, compounds, merged_compounds, pairs),
        rejected_fields=tables.rejected_summary(rejected_fields, "field_id"),
        rejected_compounds=tables.rejected_summary(rejected_compounds, "compound_id"),
        stripped=tables.stripped_summary(compounds),
        has_images=plate_store is not None,
        replicates=tables.replicate_table(replicate_metrics),
        panels_caption=(
            f"A control field and treated fields, drawn at random (seed {seed}). Left: composite of Mito (red), ER"
            " (green), RNA (teal), AGP (orange) and DNA (blue). Right: each channel in grey. All rows have the same"
            " contrast."
        ),
    )
    if plate_store is None:
        return part
    names = pairs.merge(compounds, on="inchikey").set_index("field_id")["name"]
    return part, sample_panels(fields, field_reader(plate_store, fields), names, seed, study.note)


def draw_figure_1(fields, plate_store, study: StudyParameters, seed: int):
    """Draw figure 1 of the publication, the corruptions of one field, with a treated field of this screen.

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


def write_supplement(study: StudyParameters, reporting: ReportingParameters, **tables_of_splits):
    """Make the publication's supplementary tables with our and the published values, and the table of audits.

    Parameters
    ----------
    tables_of_splits
        ``<split>_metrics``, ``<split>_differences`` and ``<split>_leaks`` of every split.

    Returns
    -------
    list of CaptionedTable
        The tables in the order of :data:`cloome_kedro.reporting.sheets.SHEETS`, then the audits.
    """
    import pandas as pd

    from cloome_kedro.reporting.audits import audit_table
    from cloome_kedro.reporting.sheets import SHEETS
    from cloome_kedro.reporting.small_screens import evaluable
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.supplement import describe_data_sources, supplement_tables

    look = Look(note=study.note, models=study.models)
    metrics, differences = (
        pd.concat(_by_split(tables_of_splits, kind), ignore_index=True) for kind in ("metrics", "differences")
    )
    metrics = evaluable(metrics)
    leaks = [table.assign(split=split) for split, table in _by_split(tables_of_splits, "leaks").items()]
    data_note = describe_data_sources(study.screen, study.simulated, reporting.published_screen)
    supplement = supplement_tables(metrics, data_note, look)
    audits = audit_table(metrics, differences, pd.concat(leaks, ignore_index=True), data_note, look)
    return [*(supplement[sheet.name] for sheet in SHEETS), audits]


def describe_supplement(study: StudyParameters, reporting: ReportingParameters, **supplement):
    """Render the tables of the supplement as a part of the report.

    Parameters
    ----------
    supplement
        ``supplement_table_<name>`` of every supplementary table, and ``supplement_audits``.
    """
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.supplement import NO_RESULTS, describe_data_sources

    return render(
        "supplement.html.j2",
        Look(note=study.note, models=study.models),
        data_note=describe_data_sources(study.screen, study.simulated, reporting.published_screen),
        tables=[table for table in supplement.values() if NO_RESULTS not in table.notes],
        missing=[table.title for table in supplement.values() if NO_RESULTS in table.notes],
    )


def write_report(
    *,
    data_text,
    supplement_text,
    later_parts,
    study: StudyParameters,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    fields_figure="",
    figure_1_text="",
    figure_1="",
    **parts,
):
    """Join all parts into one HTML file, and format the main results as text for the terminal.

    Parameters
    ----------
    fields_figure, figure_1_text, figure_1
        Empty if the screen has no images.
    later_parts : dict of str to str
        Parts of other pipelines as HTML, by their paths. Those of comparisons of models are taken.
    parts
        ``<split>_section``, ``<split>_metrics`` and ``<split>_differences`` of every split.

    Returns
    -------
    report (HTML), summary (text)
    """
    import pandas as pd
    from markupsafe import Markup

    from cloome_kedro.chemistry.splits import joined_folds
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.joint import format_results, joint_metrics, joint_tables
    from cloome_kedro.reporting.report import embed, render_report
    from cloome_kedro.reporting.style import Look

    look = Look(note=study.note, models=study.models, reference=study.reference_label)
    metrics_by_split, differences = _by_split(parts, "metrics"), _by_split(parts, "differences")
    metrics = pd.concat(metrics_by_split, ignore_index=True)
    joint = joint_metrics(metrics, joined_folds(metrics_by_split), retrieval.confidence)
    report = render_report(
        _by_split(parts, "section"),
        embed(data_text + figure_1_text, {"fields": fields_figure, "figure_1": figure_1}),
        supplement_text,
        look,
        comparisons={
            path.removesuffix(".html").rpartition("comparison_")[2]: Markup(part)
            for path, part in later_parts.items()
            if "/comparison_" in path
        },
        title=reporting.title,
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        joint=joint_tables(joint, look),
        cards=[
            card
            for split, metrics in metrics_by_split.items()
            for card in headline(metrics, differences[split], look, retrieval.fold)
        ],
    )
    return report, format_results(metrics, joint, look, retrieval.confidence, retrieval.fold)


def _by_split(parts, kind: str) -> dict:
    """Select the parts ``<split>_<kind>``, by split."""
    return {name.removesuffix(f"_{kind}"): part for name, part in parts.items() if name.endswith(f"_{kind}")}

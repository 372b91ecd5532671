"""Nodes that describe what all splits share: the screen and the supplement.

Arguments that are tables have the names of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import ReportingParameters, StudyParameters
from cloome_kedro.pipelines.reporting.joining import by_split


def describe_data(
    *,
    fields,
    compounds,
    pairs,
    screen_overview,
    study: StudyParameters,
    seed: int,
    plate_store=None,
    replicate_metrics=None,
):
    """Describe the screen, and draw some of its fields.

    Parameters
    ----------
    screen_overview
        Tables of :func:`~cloome_kedro.pipelines.reporting.results.summarise_screen`.
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
        **{name: table for name, table in screen_overview.items() if name != "plates"},
        has_images=plate_store is not None,
        replicates=tables.replicate_table(replicate_metrics),
        panels_caption=(
            f"{'A control field and treated fields' if fields['control'].any() else 'Treated fields'}, drawn at random"
            f" (seed {seed}). Left: composite of Mito (red), ER (green), RNA (teal), AGP (orange) and DNA (blue). "
            "Right: each channel in grey. All rows have the same contrast."
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


def write_supplement(study: StudyParameters, reporting: ReportingParameters, **results_of_splits):
    """Make the publication's supplementary tables with our and the published values, and the table of audits.

    Parameters
    ----------
    results_of_splits
        ``<split>_results`` of every split, from :func:`~cloome_kedro.pipelines.reporting.results.gather_results`.

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
    splits = by_split(results_of_splits, "results")
    metrics, differences = (
        pd.concat([results[kind] for results in splits.values()], ignore_index=True)
        for kind in ("metrics", "differences")
    )
    metrics = evaluable(metrics)
    leaks = [results["leaks"].assign(split=split) for split, results in splits.items()]
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
    from cloome_kedro.reporting.web_supplement import audit_blocks, by_source

    audits = supplement.pop("supplement_audits")
    return render(
        "supplement.html.j2",
        Look(note=study.note, models=study.models),
        data_note=describe_data_sources(study.screen, study.simulated, reporting.published_screen),
        tables=[
            (name.removeprefix("supplement_"), table, by_source(table.table))
            for name, table in supplement.items()
            if NO_RESULTS not in table.notes
        ],
        audits=audits,
        audit_blocks=audit_blocks(audits.table),
        missing=[table.title for table in supplement.values() if NO_RESULTS in table.notes],
    )

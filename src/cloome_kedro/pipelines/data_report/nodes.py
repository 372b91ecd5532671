"""Nodes that draw the data of a screen and write the data report.

Arguments that are tables have the names of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import DataReportParameters, ReportingParameters, StudyParameters


def draw_plates(well_quality, study: StudyParameters, data_report: DataReportParameters, **tables):
    """Draw heat maps of plates, differences between plates, effects of positions, and controls over plates.

    Parameters
    ----------
    tables
        ``fields`` and ``plate_statistics``, if the screen has images.

    Returns
    -------
    figures: maps, plates, positions, controls
    """
    import pandas as pd

    from cloome_kedro.evaluation.plate_quality import plate_deviations, position_means
    from cloome_kedro.reporting import plate_figures as figures
    from cloome_kedro.reporting.data_report import plates_to_show
    from cloome_kedro.reporting.style import Look

    look = Look(study.screen, study.note)
    names = figures.shown_statistics(well_quality)
    statistics = pd.DataFrame(columns=["plate", "channel", "mean", "basis"])
    if tables:
        plates = tables["fields"][["plate", "plate_file"]].drop_duplicates()
        statistics = tables["plate_statistics"].merge(plates, on="plate_file")
    return (
        figures.plate_maps(
            well_quality, plates_to_show(well_quality, data_report.plates, data_report.show_plates), look
        ),
        figures.plate_summary(plate_deviations(well_quality, names), look),
        figures.position_figure(position_means(well_quality, names, data_report.confidence), look),
        figures.controls_over_plates(well_quality, statistics, look),
    )


def draw_compounds(pairs, compounds, labels, average_precision_groups, study: StudyParameters):
    """Draw replicates, scaffolds and mechanisms of compounds, the density of labels, and mean average precisions.

    Returns
    -------
    figures: compounds, labels, precision
    """
    from cloome_kedro.reporting import data_figures as figures
    from cloome_kedro.reporting.data_report import count_mechanisms, count_scaffolds, count_wells
    from cloome_kedro.reporting.style import Look

    look = Look(study.screen, study.note, study.models)
    return (
        figures.compound_figure(count_wells(pairs), count_scaffolds(compounds), count_mechanisms(compounds), look),
        figures.label_figure(labels, look),
        figures.precision_figure(average_precision_groups, look),
    )


def draw_fields(
    *,
    fields,
    field_index,
    rejected_fields,
    pairs,
    compounds,
    well_quality,
    plate_store,
    study: StudyParameters,
    data_report: DataReportParameters,
    seed: int,
):
    """Draw fields of some plates, and pictures of rejected fields.

    Returns
    -------
    figures: examples, rejected
    """
    from cloome_kedro.imaging.thumbnails import raw_thumbnail
    from cloome_kedro.reporting.data_figures import example_fields, rejected_figure
    from cloome_kedro.reporting.data_report import choose_examples, choose_rejected, plates_to_show
    from cloome_kedro.reporting.montage import field_reader, shrink
    from cloome_kedro.reporting.style import Look

    look = Look(study.screen, study.note)
    names = pairs.merge(compounds, on="inchikey").set_index("field_id")["name"]
    plates = plates_to_show(well_quality, data_report.plates, data_report.show_plates)
    read = field_reader(plate_store, fields)
    pictures, labels = {}, {}
    for plate in plates:
        shown = choose_examples(fields[fields["plate"] == plate], names, data_report.fields, seed)
        pictures[plate] = shrink(read(shown.index))
        labels[plate] = shown.tolist()
    rejects: list = []
    reasons: list[str] = []
    for row, text in choose_rejected(rejected_fields, field_index, 3 * data_report.rejected_fields):
        picture, unreadable = raw_thumbnail(row)
        if len(unreadable) < len(picture) and len(rejects) < data_report.rejected_fields:
            rejects.append(picture)
            reasons.append(text + (f"\nnot readable: {', '.join(unreadable)}" if unreadable else ""))
    return example_fields(pictures, labels, look), rejected_figure(rejects, reasons, look)


def write_data_report(
    *,
    study: StudyParameters,
    reporting: ReportingParameters,
    data_report: DataReportParameters,
    seed: int,
    images: bool = True,
    **parts,
):
    """Write the data report: one HTML page that contains its figures.

    Parameters
    ----------
    images
        Whether the screen has images.
    parts
        Tables by their names, and ``<name>_figure`` as data URIs.

    Returns
    -------
    data_report
    """
    from cloome_kedro.reporting.data_report import render_data_report

    figures = {name: parts.pop(name) for name in list(parts) if name.endswith("_figure")}
    return render_data_report(
        parts,
        {f"data_report_{name.removesuffix('_figure')}": figure for name, figure in figures.items()},
        study=study,
        settings=data_report,
        images=images,
        seed=seed,
        # The address is relative to the report of the study, which is two folders further down.
        documentation=reporting.documentation.removeprefix("../../"),
    )

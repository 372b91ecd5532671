"""Nodes that measure wells and replicates. Arguments that are tables have the names of their schemas."""

import logging

from cloome_kedro.parameters import CorrectionParameters, DataReportParameters, StudyParameters

logger = logging.getLogger(__name__)


def measure_wells(fields, cell_counts, data_report: DataReportParameters):
    """Average the measurements of each well, and measure how much they depend on the place of the well.

    Returns
    -------
    well_quality, position_effects
    """
    from cloome_kedro.evaluation.plate_quality import position_effects
    from cloome_kedro.imaging.well_quality import well_quality
    from cloome_kedro.reporting.plate_figures import shown_statistics

    wells = well_quality(fields, cell_counts)
    return wells, position_effects(wells, shown_statistics(wells), data_report.confidence)


def measure_illumination(fields, plate_store, study: StudyParameters, data_report: DataReportParameters):
    """Compare the corners of images with their centre, before and after the correction of illumination.

    Returns
    -------
    illumination_evenness, figure
    """
    from cloome_kedro.imaging.illumination.evenness import evenness_table, mean_images, read_plates
    from cloome_kedro.reporting.illumination import illumination_figure
    from cloome_kedro.reporting.style import Look

    plates = fields[["plate", "plate_file"]].drop_duplicates().sort_values("plate")
    paths = {row.plate: plate_store.illumination(row.plate_file) for row in plates.itertuples()}
    kept = read_plates(paths)
    table = evenness_table(kept, data_report.confidence)
    images = mean_images(kept) if kept else None
    return table, illumination_figure(table, images, Look(study.screen, study.note))


def measure_precision(
    *,
    fields,
    pairs,
    compounds,
    field_profiles,
    study: StudyParameters,
    data_report: DataReportParameters,
    seed: int,
    embedded_fields=None,
):
    """Measure the mean average precision of replicates and mechanisms, by profiles and by the first model.

    Parameters
    ----------
    embedded_fields : cloome_kedro.evaluation.embeddings.Embeddings
        Fields embedded by the first model. None: the study has not been run.

    Returns
    -------
    average_precision, average_precision_groups
    """
    from itertools import product

    import pandas as pd
    from tqdm.auto import tqdm

    from cloome_kedro.evaluation.average_precision import mechanism_precision, replicate_precision, well_means
    from cloome_kedro.evaluation.precision_summary import GROUP_COLUMNS, ROW_COLUMNS

    table, methods = _methods(fields, pairs, compounds, field_profiles, embedded_fields, study)
    if methods and not _copairs("mean average precision"):
        methods = {}
    rows: list[dict] = []
    groups: list[pd.DataFrame] = []
    settings = {"null_size": data_report.rankings} | _settings(data_report, seed)
    wells = {}
    for name, method in methods.items():
        known = table[method.fields.knows(table["field_id"])]
        wells[name] = well_means(known, method.fields.of(known["field_id"]))
    tasks = list(product(wells, (replicate_precision, mechanism_precision)))
    for name, function in tqdm(tasks, desc="mean average precision", unit="result", delay=1):
        result = function(*wells[name], **settings)
        rows.append({"method": name, **result.row()})
        groups.append(result.groups.assign(method=name, matches=result.matches))
    columns = ["method", "matches", *GROUP_COLUMNS]
    found = [group for group in groups if len(group)]
    return (
        pd.DataFrame(rows, columns=["method", *ROW_COLUMNS]),
        pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns),
    )


def compare_corrections(
    *,
    fields,
    pairs,
    compounds,
    field_profiles,
    study: StudyParameters,
    corrections: CorrectionParameters,
    data_report: DataReportParameters,
    seed: int,
    embedded_fields=None,
):
    """Measure how corrections of batch effects change mean average precision: ``average_precision_corrections``.

    Corrections are fitted to some controls, and replicates are ranked among others. Without corrections, the table is
    empty.
    """
    import pandas as pd

    from cloome_kedro.evaluation.corrected_precision import precision_of_corrections
    from cloome_kedro.evaluation.precision_comparison import COLUMNS

    if not corrections.use or not _copairs("mean average precision with corrections of batch effects"):
        return pd.DataFrame(columns=COLUMNS)
    table, methods = _methods(fields, pairs, compounds, field_profiles, embedded_fields, study)
    return precision_of_corrections(
        table,
        methods,
        corrections.use,
        corrections.minimum_controls,
        corrections.methods,
        **_settings(data_report, seed),
    )


def _methods(fields, pairs, compounds, field_profiles, embedded_fields, study: StudyParameters):
    """Table of fields with their compounds, and what represents fields: profiles, and embeddings if there are any."""
    from cloome_kedro.evaluation.features import standardised_profiles
    from cloome_kedro.evaluation.methods import Embeddings, Method
    from cloome_kedro.words import PROFILES

    facts = pairs[["field_id", "inchikey"]].merge(compounds[["inchikey", "moa"]], on="inchikey", how="left")
    table = fields[["field_id", "plate", "well", "control"]].merge(facts, on="field_id", how="left")
    methods = {}
    if len(field_profiles):
        known = table["field_id"].isin(field_profiles["field_id"]).to_numpy()
        features, missing = standardised_profiles(field_profiles, table["field_id"], known)
        of_profiles = Embeddings(table.loc[~missing, "field_id"].to_numpy(object), features[~missing])
        methods[PROFILES] = Method(of_profiles, normalised=False)
    if embedded_fields is not None:
        normalised = bool(embedded_fields.meta.get("normalised", True))
        methods[study.labels[0]] = Method(embedded_fields, normalised=normalised)
    return table, methods


def _settings(data_report: DataReportParameters, seed: int):
    """Settings of intervals."""
    return {"confidence": data_report.confidence, "resamples": data_report.resamples, "seed": seed}


def _copairs(what: str) -> bool:
    """Whether copairs is installed. If not, warn."""
    from cloome_kedro.evaluation.precision_summary import is_available

    if not is_available():
        logger.warning(
            "copairs is not installed, so the data report has no %s: pip install 'cloome-kedro[copairs]'", what
        )
        return False
    return True

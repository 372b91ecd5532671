"""Nodes that measure wells and replicates. Arguments that are tables have the names of their schemas."""

import logging

from cloome_kedro.parameters import DataReportParameters, StudyParameters

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

    import numpy as np
    import pandas as pd
    from tqdm.auto import tqdm

    from cloome_kedro.evaluation.average_precision import mechanism_precision, replicate_precision, well_means
    from cloome_kedro.evaluation.features import standardised_profiles
    from cloome_kedro.evaluation.precision_summary import GROUP_COLUMNS, ROW_COLUMNS, is_available
    from cloome_kedro.words import PROFILES

    facts = pairs[["field_id", "inchikey"]].merge(compounds[["inchikey", "moa"]], on="inchikey", how="left")
    table = fields[["field_id", "plate", "well", "control"]].merge(facts, on="field_id", how="left")
    vectors = {}
    if len(field_profiles):
        known = table["field_id"].isin(field_profiles["field_id"]).to_numpy()
        features, missing = standardised_profiles(field_profiles, table["field_id"], known)
        vectors[PROFILES] = table[~missing], features[~missing]
    if embedded_fields is not None:
        known = embedded_fields.knows(table["field_id"])
        vectors[study.labels[0]] = table[known], embedded_fields.of(table.loc[known, "field_id"])
    rows: list[dict] = []
    groups: list[pd.DataFrame] = []
    if vectors and not is_available():
        logger.warning(
            "copairs is not installed, so the data report has no mean average precision: "
            "pip install 'cloome-kedro[copairs]'"
        )
        vectors = {}
    settings = {
        "null_size": data_report.rankings,
        "confidence": data_report.confidence,
        "resamples": data_report.resamples,
        "seed": seed,
    }
    wells = {name: well_means(part, np.asarray(values, float)) for name, (part, values) in vectors.items()}
    tasks = list(product(wells, (replicate_precision, mechanism_precision)))
    for method, function in tqdm(tasks, desc="mean average precision", unit="result", delay=1):
        result = function(*wells[method], **settings)
        rows.append({"method": method, **result.row()})
        groups.append(result.groups.assign(method=method, matches=result.matches))
    columns = ["method", "matches", *GROUP_COLUMNS]
    found = [group for group in groups if len(group)]
    return (
        pd.DataFrame(rows, columns=["method", *ROW_COLUMNS]),
        pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns),
    )

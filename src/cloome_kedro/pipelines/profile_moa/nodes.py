"""Nodes of the pipeline ``profile_moa``. :mod:`cloome_kedro.schemas` describes the tables under the same names."""

import logging

from cloome_kedro.parameters import CorrectionParameters, ProfileMoaParameters

logger = logging.getLogger(__name__)

#: ``split`` and ``split_hash`` in the tables of results: there are no folds, because nothing is trained
WITHOUT_FOLDS = "none"


def join_profile_plates(profile_plates, profile_moa: ProfileMoaParameters):
    """Normalise the table of each plate, and join the tables with the features that all plates have.

    Returns
    -------
    profile_wells, rejected_profiles, profile_columns, profile_controls
    """
    from cloome_kedro.imaging.profile_plates import join_plates

    return join_plates(profile_plates, profile_moa.columns, profile_moa.normalise)


def rank_mechanisms(
    profile_wells, profile_controls, profile_moa: ProfileMoaParameters, corrections: CorrectionParameters, seed: int
):
    """Rank the mechanism of each well by its profile, corrected or not, and by confounders: ``profile_moa_ranks``."""
    from cloome_kedro.evaluation.profile_moa import rank_mechanisms

    wells, correct = _wells(profile_wells, profile_controls, corrections)
    methods = correct()
    wells = wells[~wells["control"]].rename(columns={"moa": "label"})
    ranks = rank_mechanisms(
        wells[["field_id", "plate", "well", "inchikey", "label"]],
        methods,
        wells[["field_id", "nuclei"]],
        profile_moa.shown_by,
        profile_moa.draws,
        seed,
    )
    return ranks.assign(split=WITHOUT_FOLDS)


def _wells(profile_wells, profile_controls, corrections: CorrectionParameters):
    """Table of treated wells and controls, and a function that gives their profiles, corrected and not."""
    from functools import partial

    import pandas as pd

    from cloome_kedro.evaluation.profile_moa import correct_profiles

    names = {"Plate": "plate", "Well": "well", "InChIKey": "inchikey", "moa": "moa", "Count": "nuclei"}
    wells = pd.concat([profile_wells, profile_controls], ignore_index=True)
    wells = wells.rename(columns={f"Metadata_{old}": new for old, new in names.items()})
    wells["control"] = wells.index >= len(profile_wells)
    descriptions = wells[["field_id", *names.values(), "control"]]
    profiles = wells.drop(columns=descriptions.columns).to_numpy(float)
    return descriptions, partial(
        correct_profiles, descriptions, profiles, corrections.use, corrections.minimum_controls
    )


def summarise_mechanisms(
    profile_moa_ranks, profile_moa: ProfileMoaParameters, corrections: CorrectionParameters, seed: int
):
    """Summarise ranks: accuracies with intervals and chance, and differences between profiles and other methods.

    Returns
    -------
    profile_moa_metrics, profile_moa_differences, profile_moa_summary (text), profile_moa_figure
        Differences are profiles minus each confounder, and corrected profiles minus profiles. The text and the figure
        are about profiles without corrections.
    """
    import pandas as pd

    from cloome_kedro.evaluation.corrected_methods import corrected_pairs
    from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
    from cloome_kedro.reporting.profile_moa import draw_mechanisms, format_mechanisms
    from cloome_kedro.words import PROFILES

    summary = Summary(profile_moa.top_k, profile_moa.confidence, seed)
    metrics = summarise_ranks(profile_moa_ranks, summary).assign(split_hash=WITHOUT_FOLDS)
    by_method = dict(iter(profile_moa_ranks.groupby("method", sort=False)))
    corrected = corrected_pairs(by_method, corrections.labels)
    others = [name for name in by_method if name != PROFILES and name not in dict(corrected)]
    differences = pd.concat(
        [
            compare_ranks(by_method[a], by_method[b], f"method {b}", summary)
            for a, b in [*((PROFILES, other) for other in others), *corrected]
        ],
        ignore_index=True,
    ).assign(split_hash=WITHOUT_FOLDS)
    plain = metrics[~metrics["method"].isin(dict(corrected))]
    text = format_mechanisms(plain, differences[differences["method"] == PROFILES], profile_moa.confidence)
    return metrics, differences, text, draw_mechanisms(plain)


def compare_corrections(
    profile_wells,
    profile_controls,
    profile_moa_metrics,
    profile_moa_differences,
    *,
    profile_moa: ProfileMoaParameters,
    corrections: CorrectionParameters,
    seed: int,
):
    """Measure mean average precision with and without corrections, and join it with zero-shot across plates.

    Without copairs, mean average precision is left out, and a warning says so.

    Returns
    -------
    profile_moa_corrections, profile_moa_corrections_summary (text), profile_moa_corrections_figure
    """
    from cloome_kedro.evaluation.corrected_methods import corrected_name, corrected_pairs
    from cloome_kedro.evaluation.precision_comparison import compare_precision, effects_of_corrections
    from cloome_kedro.evaluation.precision_summary import is_available
    from cloome_kedro.reporting.corrections import draw_corrections, format_corrections
    from cloome_kedro.words import PROFILES

    wells, correct = _wells(profile_wells, profile_controls, corrections)
    methods = [PROFILES, *(corrected_name(PROFILES, label) for label in corrections.labels)]
    precision = None
    if is_available():
        pairs = corrected_pairs(methods, corrections.labels)
        precision = compare_precision(
            wells, lambda fitted: correct(fitted_to=fitted), pairs, confidence=profile_moa.confidence, seed=seed
        )
    else:
        logger.warning(
            "mean average precision is left out, because copairs is not installed: pip install 'cloome-kedro[copairs]'"
        )
    effects = effects_of_corrections(profile_moa_metrics, profile_moa_differences, precision, methods)
    return effects, format_corrections(effects, profile_moa.confidence), draw_corrections(effects)

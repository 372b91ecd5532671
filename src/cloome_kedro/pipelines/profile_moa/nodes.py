"""Nodes of the pipeline ``profile_moa``. :mod:`cloome_kedro.schemas` describes the tables under the same names."""

from cloome_kedro.parameters import ProfileMoaParameters

#: ``split`` and ``split_hash`` in the tables of results: there are no folds, because nothing is trained
WITHOUT_FOLDS = "none"


def join_profile_plates(profile_plates, profile_moa: ProfileMoaParameters):
    """Normalise the table of each plate, and join the tables with the features that all plates have.

    Returns
    -------
    profile_wells, rejected_profiles, profile_columns
    """
    from cloome_kedro.imaging.profile_plates import join_plates

    return join_plates(profile_plates, profile_moa.columns, profile_moa.normalise)


def rank_mechanisms(profile_wells, profile_moa: ProfileMoaParameters, seed: int):
    """Rank the mechanism of each well by its profile and by confounders, and return ``profile_moa_ranks``."""
    from cloome_kedro.evaluation.profile_moa import rank_mechanisms

    new_names = {
        "Metadata_Plate": "plate",
        "Metadata_Well": "well",
        "Metadata_InChIKey": "inchikey",
        "Metadata_moa": "label",
        "Metadata_Count": "nuclei",
    }
    wells = profile_wells.rename(columns=new_names)
    descriptions = wells[["field_id", *new_names.values()]]
    ranks = rank_mechanisms(
        descriptions.drop(columns="nuclei"),
        wells.drop(columns=descriptions.columns).to_numpy(float),
        descriptions[["field_id", "nuclei"]],
        profile_moa.shown_by,
        profile_moa.draws,
        seed,
    )
    return ranks.assign(split=WITHOUT_FOLDS)


def summarise_mechanisms(profile_moa_ranks, profile_moa: ProfileMoaParameters, seed: int):
    """Summarise ranks: accuracies with intervals and chance, and differences between profiles and confounders.

    Returns
    -------
    profile_moa_metrics, profile_moa_differences, profile_moa_summary (text), profile_moa_figure
    """
    import pandas as pd

    from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
    from cloome_kedro.reporting.profile_moa import draw_mechanisms, format_mechanisms
    from cloome_kedro.words import PROFILES

    summary = Summary(profile_moa.top_k, profile_moa.confidence, seed)
    metrics = summarise_ranks(profile_moa_ranks, summary).assign(split_hash=WITHOUT_FOLDS)
    by_method = dict(iter(profile_moa_ranks.groupby("method", sort=False)))
    profiles = by_method.pop(PROFILES)
    differences = pd.concat(
        [compare_ranks(profiles, ranks, f"method {method}", summary) for method, ranks in by_method.items()],
        ignore_index=True,
    ).assign(split_hash=WITHOUT_FOLDS)
    text = format_mechanisms(metrics, differences, profile_moa.confidence)
    return metrics, differences, text, draw_mechanisms(metrics)

"""Nodes of ``profile_moa``. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

from cloome_kedro.parameters import ProfileMoaParameters

#: there are no folds, since nothing is trained
WITHOUT_FOLDS = "none"


def join_profile_plates(profile_plates, profile_moa: ProfileMoaParameters):
    """Join the plates' tables on the features that all have, each plate normalised on its own.

    Returns
    -------
    profile_wells, rejected_profiles
    """
    from cloome_kedro.imaging.profile_plates import join_plates

    return join_plates(profile_plates, profile_moa.columns, profile_moa.normalise)


def rank_mechanisms(profile_wells, profile_moa: ProfileMoaParameters, seed: int):
    """Rank the mechanism of every well, by its profile and by confounders: ``profile_moa_ranks``."""
    from cloome_kedro.evaluation.profile_moa import rank_mechanisms

    names = {"Plate": "plate", "Well": "well", "InChIKey": "inchikey", "moa": "label", "Count": "nuclei"}
    wells = profile_wells.rename(columns={f"Metadata_{theirs}": ours for theirs, ours in names.items()})
    described = wells[["field_id", *names.values()]]
    ranks = rank_mechanisms(
        described.drop(columns="nuclei"),
        wells.drop(columns=described.columns).to_numpy(float),
        described[["field_id", "nuclei"]],
        profile_moa.shown_by,
        profile_moa.draws,
        seed,
    )
    return ranks.assign(split=WITHOUT_FOLDS)


def summarise_mechanisms(profile_moa_ranks, profile_moa: ProfileMoaParameters, seed: int):
    """Summarise ranks: accuracies with intervals and chance, and what profiles are better by than confounders.

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

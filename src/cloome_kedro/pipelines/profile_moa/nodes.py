"""Nodes of ``profile_moa``. Tables are those of ``cloome_kedro.schemas``."""

from cloome_kedro.parameters import ProfileMoaParameters

#: there are no folds: nothing is trained
WITHOUT_FOLDS = "none"


def join_profile_plates(profile_plates, parameters: ProfileMoaParameters):
    """Join the plates' tables on the features that all have, each plate normalised on its own.

    Returns
    -------
    profile_wells, rejected_profiles
    """
    from cloome_kedro.imaging.profile_plates import PlateTableSettings, join_plates

    settings = PlateTableSettings(
        plate=parameters.plate_column,
        well=parameters.well_column,
        inchikey=parameters.inchikey_column,
        moa=parameters.moa_column,
        control=parameters.control_column,
        cells=parameters.cells_column,
        physical_plate=parameters.physical_plate,
        method=parameters.normalisation,
        minimum_controls=parameters.minimum_controls,
        clip=parameters.clip,
        na_cutoff=parameters.na_cutoff,
    )
    return join_plates(profile_plates, settings)


def rank_mechanisms(profile_wells, parameters: ProfileMoaParameters, seed: int):
    """Rank the mechanism of every well, by its profile and by confounders: ``profile_moa_ranks``."""
    from cloome_kedro.evaluation import profile_moa

    names = {"Plate": "plate", "Well": "well", "InChIKey": "inchikey", "moa": "label", "Count": "nuclei"}
    wells = profile_wells.rename(columns={f"Metadata_{theirs}": ours for theirs, ours in names.items()})
    described = wells[["field_id", *names.values()]]
    ranks = profile_moa.rank_mechanisms(
        described.drop(columns="nuclei"),
        wells.drop(columns=described.columns).to_numpy(float),
        described[["field_id", "nuclei"]],
        parameters.shown_by,
        parameters.draws,
        seed,
    )
    return ranks.assign(split=WITHOUT_FOLDS)


def summarise_mechanisms(profile_moa_ranks, parameters: ProfileMoaParameters, seed: int):
    """Accuracies with intervals and chance, and what profiles are better by than confounders.

    Returns
    -------
    profile_moa_metrics, profile_moa_differences, profile_moa_summary (text), profile_moa_figure
    """
    import pandas as pd

    from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks
    from cloome_kedro.reporting.profile_moa import draw_mechanisms, format_mechanisms

    settings = parameters.top_k, parameters.confidence, seed
    metrics = summarise_ranks(profile_moa_ranks, *settings).assign(split_hash=WITHOUT_FOLDS)
    by_method = dict(iter(profile_moa_ranks.groupby("method", sort=False)))
    profiles = by_method.pop("Profiles")
    differences = pd.concat(
        [compare_ranks(profiles, ranks, f"method {method}", *settings) for method, ranks in by_method.items()],
        ignore_index=True,
    ).assign(split_hash=WITHOUT_FOLDS)
    text = format_mechanisms(metrics, differences, parameters.confidence)
    return metrics, differences, text, draw_mechanisms(metrics)

"""Nodes of the pipelines ``tuning`` and ``tune_and_train``. Tables are those of ``cloome_kedro.schemas``."""

import logging

from cloome_kedro.parameters import (
    BilinearParameters,
    FingerprintParameters,
    IngestionParameters,
    ProbingParameters,
    ReportingParameters,
    TrainingParameters,
    TuningParameters,
)
from cloome_kedro.pipelines.tuning.objective import Bilinear, Contrastive, Trial

logger = logging.getLogger(__name__)


def search_training(
    study,
    plate_store,
    pairs,
    compounds,
    folds,
    assay_labels,
    compound_keys,
    training: TrainingParameters,
    fingerprints: FingerprintParameters,
    ingestion: IngestionParameters,
    probing: ProbingParameters,
    tuning: TuningParameters,
    *,
    split: str,
):
    """Search settings of the contrastive training by its validation fold; the test fold's fields are never read.

    A search that was stopped goes on, and several processes or machines may run this on one study.

    Parameters
    ----------
    study : cloome_kedro.tuning.store.StudyStore
        Where the study is kept.
    plate_store : cloome_kedro.imaging.store.PlateStore
        Where the fields are.

    Returns
    -------
    trials, trial_epochs, importances, best_parameters (nested as in ``conf/``)

    Raises
    ------
    ValueError
        If the space does not hold the default configuration, a value does not fit it, or the study was begun with
        other data or settings.
    RuntimeError
        If no trial was completed.
    """
    of = Contrastive(
        plate_store,
        pairs,
        compounds,
        folds,
        assay_labels,
        compound_keys,
        training,
        fingerprints,
        probing,
        tuning.search.seed,
    )
    plates = pairs["plate_file"].unique()
    data = {"images": [plate_store.digest(plate) for plate in plates], "probing": probing.model_dump(mode="json")}
    return _search(study, of, tuning, ingestion.screen, split, data)


def search_bilinear(
    study,
    field_profiles,
    pairs,
    compounds,
    folds,
    bilinear: BilinearParameters,
    fingerprints: FingerprintParameters,
    ingestion: IngestionParameters,
    tuning: TuningParameters,
    *,
    split: str,
):
    """Search settings of the bilinear baseline, as :func:`search_training` does of the contrastive training."""
    import pandas as pd

    of = Bilinear(field_profiles, pairs, compounds, folds, bilinear, fingerprints, tuning.search.seed, split)
    data = {"profiles": int(pd.util.hash_pandas_object(field_profiles, index=False).sum())}
    return _search(study, of, tuning, ingestion.screen, split, data)


def _search(store, of: Contrastive | Bilinear, tuning: TuningParameters, screen: str, split: str, data: dict):
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.parameters.tuning import changes_of, check_space, default_point, unsearched
    from cloome_kedro.tuning.results import epochs_table, importances, trials_table, winner
    from cloome_kedro.tuning.search import search

    chosen = tuning.chosen
    check_space(chosen, of.groups)
    first = [("default", default_point(chosen, of.groups))]
    first += [("published", point) for point in chosen.published_points] if tuning.published else []
    identity = {
        "split": split_hash(of.folds),
        "pairs": str(pd.util.hash_pandas_object(of.pairs, index=False).sum()),
        **{name: str(value) for name, value in data.items()},
        "metric": chosen.metric,
        "seed": str(of.seed),
        **{f"space: {name}": str(dimension) for name, dimension in chosen.parameters.items()},
        **{name: str(value) for name, value in unsearched(chosen, of.groups).items()},
    }
    # One database may hold studies of several screens and splits.
    name = f"{screen}/{split}/{tuning.name}"
    logger.info("%s: searching by %s of the validation fold", name, chosen.metric)
    study = search(store, name, chosen.space, first, tuning.search, Trial(of, chosen), identity)
    validated = of.folds.loc[of.folds["fold"] == "validation", "inchikey"]
    trials = trials_table(study).assign(
        study=name,
        split=split,
        tunes=chosen.tunes,
        metric=chosen.metric,
        split_hash=identity["split"],
        n_validation=int(validated.isin(of.pairs["inchikey"]).sum()),
    )
    best = changes_of(winner(study).params, chosen, of.groups)
    return trials, epochs_table(study), importances(study, of.seed), best


def draw_search(trials, trial_epochs, importances, reporting: ReportingParameters):
    """Draw what a search tried and found.

    Returns
    -------
    tuning_history, tuning_importance, tuning_slices, tuning_summary (text for the terminal)
    """
    from cloome_kedro.reporting import tuning_figures
    from cloome_kedro.reporting.tuning_tables import search_summary

    text = {"title": f"{trials['split'].iloc[0]} split", "note": reporting.note}
    return (
        tuning_figures.search_history(trials, trial_epochs, **text),
        tuning_figures.importance_figure(importances, **text),
        tuning_figures.parameter_slices(trials, **text),
        search_summary(trials, reporting.simulated),
    )


def use_best_training(best_parameters, training: TrainingParameters, fingerprints: FingerprintParameters):
    """Settings of the best trial: ``training_settings``, ``fingerprint_settings``."""
    from cloome_kedro.parameters.tuning import changed

    groups = changed({"training": training, "fingerprints": fingerprints}, best_parameters)
    return groups["training"], groups["fingerprints"]


def use_best_bilinear(best_parameters, bilinear: BilinearParameters, fingerprints: FingerprintParameters):
    """Settings of the best trial: ``bilinear_settings``, ``fingerprint_settings``."""
    from cloome_kedro.parameters.tuning import changed

    groups = changed({"bilinear": bilinear, "fingerprints": fingerprints}, best_parameters)
    return groups["bilinear"], groups["fingerprints"]

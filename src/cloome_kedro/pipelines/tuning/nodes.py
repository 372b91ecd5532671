"""Nodes of the pipelines ``tuning`` and ``tune_and_train``. Tables are those of ``cloome_kedro.schemas``."""

import logging
from collections.abc import Callable
from functools import partial

from cloome_kedro.parameters import (
    BilinearParameters,
    FingerprintParameters,
    IngestionParameters,
    ProbingParameters,
    ReportingParameters,
    TrainingParameters,
    TuningParameters,
)
from cloome_kedro.parameters.base import Parameters
from cloome_kedro.pipelines.tuning.objective import Trial

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
    from cloome_kedro.pipelines.training.fitting import fit_training

    fit = partial(
        fit_training, plate_store=plate_store, assay_labels=assay_labels, compound_keys=compound_keys, probing=probing
    )
    groups = {"training": training, "fingerprints": fingerprints}
    images = [plate_store.digest(plate) for plate in pairs["plate_file"].unique()]
    data = {"images": images, "probing": probing.model_dump(mode="json")}
    return _search(study, fit, pairs, compounds, folds, groups, tuning, ingestion.screen, split, data)


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

    from cloome_kedro.pipelines.bilinear.fitting import fit_bilinear

    fit = partial(fit_bilinear, field_profiles=field_profiles, split=split)
    groups = {"bilinear": bilinear, "fingerprints": fingerprints}
    data = {"profiles": int(pd.util.hash_pandas_object(field_profiles, index=False).sum())}
    return _search(study, fit, pairs, compounds, folds, groups, tuning, ingestion.screen, split, data)


def _search(
    store,
    fit: Callable[..., tuple],
    pairs,
    compounds,
    folds,
    groups: dict[str, Parameters],
    tuning: TuningParameters,
    screen: str,
    split: str,
    data: dict,
):
    """Search with a fit that lacks the tables of both trainings; ``data`` tells its own."""
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.parameters.tuning import changes_of, check_space, default_point, unsearched
    from cloome_kedro.tuning.results import epochs_table, importances, trials_table, winner
    from cloome_kedro.tuning.search import search

    chosen, seed = tuning.chosen, tuning.search.seed
    check_space(chosen, groups)
    first = [("default", default_point(chosen, groups))]
    first += [("published", point) for point in chosen.published_points] if tuning.published else []
    identity = {
        "split": split_hash(folds),
        "pairs": str(pd.util.hash_pandas_object(pairs, index=False).sum()),
        **{name: str(value) for name, value in data.items()},
        "metric": chosen.metric,
        "seed": str(seed),
        **{f"space: {name}": str(dimension) for name, dimension in chosen.parameters.items()},
        **{name: str(value) for name, value in unsearched(chosen, groups).items()},
    }
    # One database may hold studies of several screens and splits.
    name = f"{screen}/{split}/{tuning.name}"
    logger.info("%s: searching by %s of the validation fold", name, chosen.metric)
    train = partial(fit, pairs=pairs, compounds=compounds, folds=folds, seed=seed)
    trial = Trial(train, compounds, chosen, groups)
    study = search(store, name, chosen.space, first, tuning.search, trial, identity)
    validated = folds.loc[folds["fold"] == "validation", "inchikey"]
    trials = trials_table(study).assign(
        study=name,
        split=split,
        tunes=chosen.tunes,
        metric=chosen.metric,
        split_hash=identity["split"],
        n_validation=int(validated.isin(pairs["inchikey"]).sum()),
    )
    best = changes_of(winner(study).params, chosen, groups)
    return trials, epochs_table(study), importances(study, seed), best


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
    """Settings of the best trial: ``settings``, ``fingerprint_settings``."""
    from cloome_kedro.parameters.tuning import changed

    groups = changed({"training": training, "fingerprints": fingerprints}, best_parameters)
    return groups["training"], groups["fingerprints"]


def use_best_bilinear(best_parameters, bilinear: BilinearParameters, fingerprints: FingerprintParameters):
    """As :func:`use_best_training`."""
    from cloome_kedro.parameters.tuning import changed

    groups = changed({"bilinear": bilinear, "fingerprints": fingerprints}, best_parameters)
    return groups["bilinear"], groups["fingerprints"]

"""Nodes of ``tuning`` and ``tune_and_train``. :mod:`cloome_kedro.schemas` describes the tables, by their names."""

import logging

from cloome_kedro.parameters import (
    FingerprintParameters,
    ModelParameters,
    ProbingParameters,
    StudyParameters,
    TuningParameters,
)
from cloome_kedro.pipelines.training.fitting import TrainingData
from cloome_kedro.pipelines.training.pretraining import PretrainingData
from cloome_kedro.pipelines.tuning.objective import TrialTraining

logger = logging.getLogger(__name__)


def search_parameters(
    *,
    search_store,
    examples,
    labels,
    compounds,
    model: ModelParameters,
    fingerprints: FingerprintParameters,
    probing: ProbingParameters,
    tuning: TuningParameters,
    fit_states=None,
    fields=None,
    compound_keys=None,
    **sources,
):
    """Search for the settings of a model that are best on the validation fold; the test fold is never read.

    An interrupted search continues. Several processes or machines may run this node for the same study.

    Parameters
    ----------
    search_store : cloome_kedro.tuning.store.StudyStore
        Where trials are stored.
    fit_states, fields, compound_keys
        As for the node ``pretrain``, if the model has a pre-training; ``fields`` also if a view reads this table.
    sources
        Datasets that the views of the model read, except fingerprints, which are made for each trial.

    Returns
    -------
    trials, trial_epochs, importances : pandas.DataFrame
        Tables of these names.
    best_parameters : dict
        Settings of the best trial, nested as in ``conf/``.

    Raises
    ------
    ValueError
        If the space does not contain the default configuration, a value of the space does not fit the configuration, or
        the study was started with other data or settings.
    RuntimeError
        If no trial is complete.
    """
    from cloome_kedro.parameters.tuning import Settings, as_written, changes_of, check_space, default_point
    from cloome_kedro.tuning.results import epochs_table, importances, trials_table, winner
    from cloome_kedro.tuning.search import Question, search

    chosen, settings, seed = tuning.chosen, Settings(model, fingerprints), tuning.search.seed
    check_space(chosen, settings)
    pretraining = None
    if fit_states is not None:
        pretraining = PretrainingData(fit_states, fields, compound_keys)
    if fields is not None:
        sources["fields"] = fields  # a view that scales by controls reads this table
    data = TrainingData(examples, labels, probing, sources, pretraining)
    first = [("default", default_point(chosen, settings))]
    first += [("published", point) for point in chosen.published_points] if tuning.published else []
    training = TrialTraining(data, compounds, chosen, settings, seed)
    split, screen = examples["split"].iloc[0], examples["screen"].iloc[0]
    # One database may hold studies of several screens and splits.
    name = f"{screen}/{split}/{tuning.name}"
    logger.info("study %s: searching for the best %s on the validation fold", name, chosen.metric)
    study = search(search_store, name, Question(chosen.space, first, training, _identity(training)), tuning.search)
    trials = trials_table(study).assign(
        study=name,
        split=split,
        tunes=chosen.tunes,
        metric=chosen.metric,
        split_hash=examples["split_hash"].iloc[0],
        n_validation=examples.loc[examples["fold"] == "validation", "inchikey"].nunique(),
    )
    best = as_written(changes_of(winner(study).params, chosen, settings), chosen)
    return trials, epochs_table(study), importances(study, seed), best


def _identity(training: TrialTraining) -> dict[str, str]:
    """Everything that the values of trials depend on, except the point."""
    import pandas as pd

    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
    from cloome_kedro.learning.views import VIEWS
    from cloome_kedro.parameters.tuning import FINGERPRINTS, unsearched

    data, space = training.data, training.space
    identity = {
        "split": data.examples["split_hash"].iloc[0],
        "examples": str(pd.util.hash_pandas_object(data.examples, index=False).sum()),
        "metric": space.metric,
        "seed": str(training.seed),
        **{f"space: {name}": str(dimension) for name, dimension in space.parameters.items()},
        **{name: str(value) for name, value in unsearched(space, training.settings).items()},
    }
    model, examples = training.settings.model, data.examples[data.examples["fold"] != "test"].reset_index(drop=True)
    train = (examples["fold"] == "train").to_numpy().nonzero()[0]
    views = {"field": model.field.view, "compound": model.compound.view}
    if model.pretrain:
        views["target"] = model.pretrain.target
    for side, view in views.items():
        # Fingerprints are made for each trial. Their settings are above or in the search space.
        if FINGERPRINTS not in VIEWS.facts(VIEWS.name_of(view))["reads"]:
            fitted = view.fit(examples, data.sources, train, training.seed, progress=False)
            identity[f"content of {side}s"] = fitted.rows(examples, data.sources).identity
    if space.metric in VALIDATION_METRICS:
        identity["labels"] = str(pd.util.hash_pandas_object(data.labels, index=False).sum())
        identity["probing"] = str(data.probing.model_dump(mode="json"))
    return identity


def draw_search(trials, trial_epochs, importances, study: StudyParameters):
    """Draw the figures of a search.

    Returns
    -------
    search_history_figure, search_slices_figure, search_importance_figure
        Figures of these names.
    tuning_summary : str
        Text for the terminal.
    """
    from cloome_kedro.reporting import tuning_figures
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.tuning_tables import search_summary

    look = Look(f"{trials['split'].iloc[0]} split", study.note, study.models)
    return (
        tuning_figures.search_history(trials, trial_epochs, look),
        tuning_figures.parameter_slices(trials, look),
        tuning_figures.importance_figure(importances, look),
        search_summary(trials, look),
    )


def describe_search(*, trials, importances, metrics, tuned_metrics, study: StudyParameters, **figures):
    """Describe a search, and compare its winner with the default configuration on the test fold: ``tuning_part``, HTML.

    Parameters
    ----------
    metrics, tuned_metrics : pandas.DataFrame
        Tables ``metrics`` of the default configuration and of the winner. Both may be empty.
    figures
        Figures ``search_<name>_figure`` as data URIs.
    """
    from cloome_kedro.reporting import tuning_tables
    from cloome_kedro.reporting.cells import ABSENT
    from cloome_kedro.reporting.report import embed, render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.tuning_metric import SearchMetric

    look = Look(f"{trials['split'].iloc[0]} split", study.note, study.models)
    metric, folds = SearchMetric.named(trials["metric"].iloc[0]), trials["split_hash"].iloc[0]
    default, winner = (table[table["split_hash"] == folds] for table in (metrics, tuned_metrics))
    tested = metric.test_table(default, winner, study.models[trials["tunes"].iloc[0]])
    part = render(
        "tuning.html.j2",
        look,
        split_hash=folds,
        summary=tuning_tables.search_text(trials),
        gain=tuning_tables.gain_text(trials),
        tested=tested,
        trained=len(tested) > 0 and bool((tested["winner"] != ABSENT).any()),
        train_winner=tuning_tables.TRAIN_WINNER,
        exact=metric.percent,
        parameters=tuning_tables.parameter_table(trials),
        failures=tuning_tables.failure_table(trials),
        importance=len(importances) > 0,
    )
    return embed(part, {name.removesuffix("_figure"): uri for name, uri in figures.items()})


def use_best(best_parameters, model: ModelParameters, fingerprints: FingerprintParameters):
    """Make the settings of the best trial.

    Returns
    -------
    settings : ModelParameters
    fingerprint_settings : FingerprintParameters
    """
    from cloome_kedro.parameters.tuning import Settings, from_written

    best = Settings(model, fingerprints).changed(from_written(best_parameters))
    return best.model, best.fingerprints

"""The node that describes a split's hyperparameter search. Tables are those of ``cloome_kedro.schemas``."""

from cloome_kedro.parameters import ReportingParameters


def describe_tuning(
    trials,
    trial_epochs,
    importances,
    folds,
    retrieval_metrics,
    zero_shot_metrics,
    probing_metrics,
    tuned_retrieval_metrics,
    tuned_zero_shot_metrics,
    tuned_probing_metrics,
    reporting: ReportingParameters,
    *,
    split: str,
):
    """The search, and its winner on the test fold beside the default configuration.

    Returns
    -------
    tuning_part (HTML), empty where nothing was searched on these folds
    """
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.reporting import tuning_figures, tuning_tables
    from cloome_kedro.reporting.report import data_uri, render
    from cloome_kedro.reporting.tables import NOTHING
    from cloome_kedro.reporting.tuning_metric import SearchMetric, winner_metrics

    if trials.empty or trials["split_hash"].iloc[0] != split_hash(folds):
        return ""
    text = {"title": f"{split} split", "note": reporting.note}
    metric = SearchMetric.named(trials["metric"].iloc[0])
    tables = {
        "retrieval": (retrieval_metrics, tuned_retrieval_metrics),
        "zero-shot compound": (zero_shot_metrics, tuned_zero_shot_metrics),
        "zero-shot MoA": (zero_shot_metrics, tuned_zero_shot_metrics),
        "probing": (probing_metrics, tuned_probing_metrics),
    }
    sides = tables.get(metric.task, (retrieval_metrics.iloc[:0], tuned_retrieval_metrics.iloc[:0]))
    default, winner = (table[table["split_hash"] == split_hash(folds)] for table in sides)
    tunes = trials["tunes"].iloc[0]
    tested = metric.test_table(tunes, default, winner_metrics(tunes, winner))
    return render(
        "tuning.html.j2",
        summary=tuning_tables.search_text(trials),
        gain=tuning_tables.gain_text(trials),
        tested=tested,
        trained=len(tested) > 0 and bool((tested["winner"] != NOTHING).any()),
        train_winner=tuning_tables.TRAIN_WINNER,
        exact=metric.percent,
        parameters=tuning_tables.parameter_table(trials),
        failures=tuning_tables.failure_table(trials),
        history=data_uri(tuning_figures.search_history(trials, trial_epochs, **text)),
        slices=data_uri(tuning_figures.parameter_slices(trials, **text)),
        importance=data_uri(tuning_figures.importance_figure(importances, **text)) if len(importances) else None,
    )

"""Nodes of ``retrieval``. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

from cloome_kedro.parameters import CorrectionParameters, RetrievalParameters, StudyParameters
from cloome_kedro.parameters.evaluation import NO_CORRECTIONS


def rank_matches(methods, examples, retrieval: RetrievalParameters, seed: int):
    """Rank the match of every compound of the fold, in both directions and by every method.

    A compound is represented by one field, in several seeded draws, and by the mean over all its fields.

    Returns
    -------
    retrieval_ranks
        Ranks of all draws.

    Raises
    ------
    ValueError
        If the fold has no fields, a method knows none of the fields of a draw, or methods were gathered for other
        folds.
    """
    import pandas as pd

    from cloome_kedro.evaluation.methods import check_methods, methods_of_task
    from cloome_kedro.evaluation.retrieval import Draws, fold_fields, rank_method
    from cloome_kedro.words import CLEAN, RETRIEVAL

    check_methods(methods, examples)
    fields = fold_fields(examples, retrieval.fold)
    draws = Draws(retrieval.pool_size, retrieval.draws, seed)
    ranks = [
        rank_method(method, fields, draws).assign(method=name)
        for name, method in methods_of_task(methods, RETRIEVAL).items()
    ]
    return pd.concat(ranks, ignore_index=True).assign(split=examples["split"].iloc[0], images=CLEAN)


def summarise_retrieval(
    retrieval_ranks,
    examples,
    study: StudyParameters,
    retrieval: RetrievalParameters,
    seed: int,
    corrections: CorrectionParameters = NO_CORRECTIONS,
):
    """Summarise ranks as metrics with intervals and chance, and compare methods.

    Differences are the first method minus each other one, each model minus the reference of the study, and each
    corrected method minus the method as it is.

    Returns
    -------
    retrieval_metrics, retrieval_differences
    """
    import pandas as pd

    from cloome_kedro.evaluation.comparison import pairs_to_compare
    from cloome_kedro.evaluation.corrected_methods import corrected_pairs
    from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks

    summary = Summary(retrieval.top_k, retrieval.confidence, seed)
    by_method = dict(iter(retrieval_ranks.groupby("method", sort=False)))
    corrected = corrected_pairs(by_method, corrections.labels)
    differences = [
        compare_ranks(by_method[a], by_method[b], f"method {b}", summary)
        for a, b in pairs_to_compare(list(by_method), study.labels, study.reference_label, corrected)
    ]
    if not differences:  # comparing a single method with an empty table gives the empty table of differences
        differences = [compare_ranks(retrieval_ranks, retrieval_ranks.iloc[:0], "none", summary)]
    tables = summarise_ranks(retrieval_ranks, summary), pd.concat(differences, ignore_index=True)
    return tuple(table.assign(split_hash=examples["split_hash"].iloc[0]) for table in tables)

"""Choice of settings on the validation fold, for models that are not trained in epochs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.draws import draw_queries

#: largest number of validation compounds: the scores of all pairs of them are held in memory
AT_MOST = 1000


def validation_draws(
    examples: pd.DataFrame, known: np.ndarray, seed: int, draws: int, at_most: int = AT_MOST
) -> list[pd.DataFrame]:
    """Draw one field of each validation compound, several times.

    Parameters
    ----------
    examples
        Table of that name. Rows of other folds are not used.
    known
        (rows,) bool: whether a row can be used.
    seed
        Seed of the draws.
    draws
        Number of draws.
    at_most
        If there are more compounds, so many are drawn by the seed.

    Returns
    -------
    list of pandas.DataFrame
        Rows of ``examples`` of each draw, one per compound and sorted by InChIKey. All draws have the same compounds.

    Raises
    ------
    ValueError
        If fewer than two compounds of the validation fold can be used.
    """
    fields = examples[(examples["fold"] == "validation").to_numpy() & known]
    compounds = np.sort(fields["inchikey"].unique())
    if len(compounds) < 2:
        raise ValueError(
            f"{examples['split'].iloc[0]} split: {len(compounds)} compounds of the validation fold have a vector and a "
            "field with a vector, but settings can only be chosen on two or more: give a larger validation fold"
        )
    if len(compounds) > at_most:
        compounds = np.random.default_rng([seed, 2]).choice(compounds, at_most, replace=False)
    return draw_queries(fields[fields["inchikey"].isin(compounds)], seed, draws)


def match_quality(scores: np.ndarray) -> tuple[float, float]:
    """Top-1 accuracy and mean reciprocal rank of matches in the full pool, as means over both directions.

    Parameters
    ----------
    scores
        (n, n) scores of fields (rows) and compounds (columns). Row i and column i match. Ties count against the match.

    Examples
    --------
    >>> match_quality(np.array([[0.9, 0.1], [0.8, 0.2]]))
    (0.75, 0.875)
    """
    match = np.diagonal(scores)
    ranks = np.concatenate([(scores >= match[:, None]).sum(axis=1), (scores >= match).sum(axis=0)])
    return float((ranks == 1).mean()), float((1 / ranks).mean())


def mean_quality(qualities: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean over draws, rounded to twelve digits, so that the order of a sum does not decide between candidates.

    >>> mean_quality([(0.5, 0.6), (0.4, 0.5)])
    (0.45, 0.55)
    """
    means: list[float] = np.mean(np.asarray(qualities), axis=0).tolist()
    return round(means[0], 12), round(means[1], 12)


def best_candidate(qualities: Sequence[tuple[float, float]]) -> int:
    """Position of the candidate with the highest top-1; the higher mean reciprocal rank decides between equal ones.

    >>> best_candidate([(0.5, 0.6), (0.5, 0.7), (0.4, 0.9)])
    1
    """
    return max(range(len(qualities)), key=lambda candidate: qualities[candidate])


def selection_table(settings: Sequence[pd.DataFrame], qualities: Sequence[tuple[float, float]]) -> pd.DataFrame:
    """Table ``selection``: what was tried, how good it was, and which candidate was chosen.

    Parameters
    ----------
    settings
        For each candidate, its rows with the columns ``setting``, ``part`` and ``value``.
    qualities
        For each candidate, its top-1 and mean reciprocal rank.
    """
    best = best_candidate(qualities)
    tables = [
        table.assign(candidate=number, validation_top1=top1, validation_mrr=mrr, best=number == best)
        for number, (table, (top1, mrr)) in enumerate(zip(settings, qualities, strict=True))
    ]
    columns = ["candidate", "setting", "part", "value", "validation_top1", "validation_mrr", "best"]
    return pd.concat(tables, ignore_index=True)[columns]

"""Ranks and candidate sets among all that was screened, as a user of a trained model asks it.

In the evaluation of a fold, candidates are compounds or fields of this fold. A user searches all of them, those of the
training fold too, to which the model may give higher scores. All fields of a compound are its matches: the rank of a
query is that of the best one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.conformal import conformal_quantile, first_k
from cloome_kedro.evaluation.intervals import exact_interval

_SCORES = 1 << 24  # queries x candidates whose scores are held in memory at a time


def best_match_ranks(
    queries: np.ndarray, asked: np.ndarray, candidates: np.ndarray, compounds: np.ndarray
) -> np.ndarray:
    """Rank of the best candidate of each query's compound. Ties count against it.

    Other candidates of the compound do not count: they are matches, too.

    Parameters
    ----------
    queries
        (N, d) vectors.
    asked
        (N,) compound of each query.
    candidates
        (M, d) vectors.
    compounds
        (M,) compound of each candidate; NaN or None: it has none, such as a field of a control.

    Returns
    -------
    (N,) int64, from 1. 0: the compound of the query has no candidate.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> best_match_ranks(vectors[:1], np.array(["B"]), vectors, np.array(["A", "B", "B"])).tolist()
    [2]
    """
    of_query, names = pd.factorize(np.asarray(asked, object))
    of_candidate = pd.Index(names).get_indexer(pd.Index(np.asarray(compounds, object)))
    ranks = np.zeros(len(queries), np.int64)
    step = max(1, _SCORES // max(1, len(candidates)))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        scores = queries[rows] @ candidates.T
        is_match = of_candidate[None, :] == of_query[rows, None]
        best = np.where(is_match, scores, -np.inf).max(axis=1, initial=-np.inf)
        above = ((scores >= best[:, None]) & ~is_match).sum(axis=1)
        ranks[rows] = np.where(np.isfinite(best), above + 1, 0)
    return ranks


def sets_of_ranks(
    ranks: Mapping[str, np.ndarray], candidates: int, levels: Sequence[float], confidence: float = 0.95
) -> pd.DataFrame:
    """Calibrate on the validation fold how many candidates must be listed, and measure it on the test fold.

    Parameters
    ----------
    ranks
        ``validation`` and ``test`` -> ranks of one query per compound among these candidates. Each may be empty.
    candidates
        Number of candidates.
    levels
        Wanted probabilities that the match is listed.
    confidence
        Confidence level of the exact intervals of the measured coverage.

    Returns
    -------
    pandas.DataFrame
        One row per level: ``level``, ``share`` of the candidates that is listed, ``coverage`` with ``low`` and
        ``high`` (NaN without test queries), and the numbers of compounds ``calibration`` and ``compounds``.

    Examples
    --------
    >>> table = sets_of_ranks({"validation": np.arange(1, 10), "test": np.array([1, 9, 10, 2])}, 20, [0.9])
    >>> table[["share", "coverage"]].to_numpy().tolist()
    [[0.45, 0.75]]
    """
    rows = []
    for level in levels:
        share = min(1.0, conformal_quantile(ranks["validation"] / candidates, level))
        covered = ranks["test"] <= first_k(share, candidates)
        row = {"level": level, "share": share, "calibration": len(ranks["validation"]), "compounds": len(covered)}
        coverage, low, high = np.nan, np.nan, np.nan
        if len(covered):
            coverage = float(covered.mean())
            low, high = exact_interval(int(covered.sum()), len(covered), confidence)
        rows.append({**row, "coverage": coverage, "low": low, "high": high})
    return pd.DataFrame(rows)

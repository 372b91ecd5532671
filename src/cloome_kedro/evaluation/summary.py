"""From ranks to metrics: top-k accuracies, mean and median ranks, chance, and paired differences.

This works for every task with ranks in the table ``ranks``, and for many methods and settings at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.bootstrap import clustered_mean_interval, paired_difference
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.rank_metrics import rank_metrics
from cloome_kedro.words import RANDOM

SETTING = ("split", "task", "method", "images", "direction", "pool", "shown_by", "excluded")

#: columns of the tables ``metrics`` and ``differences`` without their split hash
METRICS = [
    *SETTING,
    *("draws", "candidates", "metric", "value", "low", "high", "interval"),
    *("n", "compounds", "successes", "spread", "chance"),
]
DIFFERENCES = [*SETTING, "against", "metric", "difference", "low", "high", "n", "compounds"]
_METRIC_DTYPES: dict[str, Any] = {
    "successes": "Int64",
    **dict.fromkeys(("candidates", "value", "low", "high", "spread", "chance"), float),
}


@dataclass(frozen=True)
class Summary:
    """Settings of a summary of ranks.

    Attributes
    ----------
    top_k
        Values of k for top-k accuracy.
    confidence
        Confidence of the intervals.
    seed
        Seed of the bootstrap.
    """

    top_k: Sequence[int] = (1, 5, 10)
    confidence: float = 0.95
    seed: int = 0


def summarise_ranks(ranks: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """Top-k accuracies, mean and median rank of every setting, with intervals and chance.

    Parameters
    ----------
    ranks
        Table ``ranks``, of one or several methods and settings.
    summary
        Values of k, and settings of the intervals.

    Returns
    -------
    pandas.DataFrame
        Table ``metrics`` without its split hash.

        - Rows with ``draws`` 1 are about draw 0 only. Proportions have an exact interval (Clopper and Pearson).
        - If there are more draws, further rows hold the mean over all draws. They have the standard deviation over
          draws as ``spread``, and a bootstrap interval over compounds.
        - Rows of the method ``Random``, one per setting and metric, hold the exact expectation of a random ranking.

    Examples
    --------
    >>> ranks = pd.DataFrame({"rank": [1, 4, 1, 2], "candidates": 10, "query": list("abcd"), "compound": list("ABCD")})
    >>> setting = {"split": "random", "task": "retrieval", "method": "CLOOME", "images": "clean", "pool": "full"}
    >>> ranks = ranks.assign(**setting, direction="image to compound", shown_by="field", excluded=None, draw=0)
    >>> metrics = summarise_ranks(ranks, Summary(top_k=[1]))
    >>> metrics[["method", "metric", "value", "interval", "n", "chance"]]
       method       metric  value interval  n  chance
    0  CLOOME        top-1    0.5    exact  4     0.1
    1  CLOOME    mean rank    2.0     none  4     5.5
    2  CLOOME  median rank    1.5     none  4     5.5
    3  Random        top-1    0.1     none  4     0.1
    4  Random    mean rank    5.5     none  4     5.5
    5  Random  median rank    5.5     none  4     5.5
    """
    rows = []
    compound, draw = ranks["compound"].to_numpy(), ranks["draw"].to_numpy()
    rank, candidates = ranks["rank"].to_numpy(), ranks["candidates"].to_numpy()
    for setting, members in _settings(ranks):
        first = members[draw[members] == 0]
        if len(first):
            rows += _rows_of_first_draw(setting, _Queries(draw, rank, candidates, compound, first), summary)
        if len(np.unique(draw[members])) > 1:
            rows += _rows_over_draws(setting, _Queries(draw, rank, candidates, compound, members), summary)
    metrics = pd.DataFrame(rows, columns=METRICS).astype(_METRIC_DTYPES)
    random = metrics.assign(
        method=RANDOM, value=metrics["chance"], low=np.nan, high=np.nan, interval="none", successes=None, spread=np.nan
    ).drop_duplicates([*SETTING, "draws", "candidates", "metric"])
    return pd.concat([metrics, random.astype(_METRIC_DTYPES)], ignore_index=True)


def compare_ranks(ranks: pd.DataFrame, baseline: pd.DataFrame, against: str, summary: Summary) -> pd.DataFrame:
    """Top-k accuracy of ``ranks`` minus that of ``baseline``, over the queries that are in both.

    Parameters
    ----------
    ranks, baseline
        Tables ``ranks``. Rows are paired by draw, query, and every column of the setting in which the two tables share
        a value. If they share no value of a column, this column is what is compared. For example, ``baseline`` has only
        clean images and ``ranks`` only corrupted ones.
    against
        Name of the baseline, for the column ``against``.
    summary
        Values of k, and settings of the intervals.

    Returns
    -------
    pandas.DataFrame
        Table ``differences`` without its split hash. For each setting of ``ranks`` that has a baseline, it holds the
        mean over draws with a bootstrap interval over compounds. ``n`` is the number of paired queries per draw.

    Raises
    ------
    ValueError
        If the baseline has two rows for a query, or if the tables give different compounds to a query.

    Examples
    --------
    >>> ranks = pd.DataFrame({"rank": [1, 1, 1, 2], "candidates": 10, "query": list("abcd"), "compound": list("ABCD")})
    >>> setting = {"split": "random", "task": "retrieval", "method": "CLOOME", "images": "clean", "pool": "full"}
    >>> ranks = ranks.assign(**setting, direction="image to compound", shown_by="field", excluded=None, draw=0)
    >>> baseline = ranks.assign(method="Bilinear", rank=[1, 3, 2, 2])
    >>> differences = compare_ranks(ranks, baseline, "method Bilinear", Summary(top_k=[1]))
    >>> differences[["method", "against", "metric", "difference", "low", "high", "n"]]
       method          against metric  difference  low  high  n
    0  CLOOME  method Bilinear  top-1         0.5  0.0   1.0  4
    """
    shared = [name for name in SETTING if _share_a_value(ranks, baseline, name)]
    keys = [*shared, "draw", "query"]
    if (double := baseline.duplicated(keys)).any():
        row = baseline.loc[double, keys].iloc[0].to_dict()
        raise ValueError(f"compare_ranks: the baseline has several rows of {row}: narrow it to one setting")
    paired = ranks.merge(baseline[[*keys, "rank", "compound"]], on=keys, suffixes=("", "_of_baseline"))
    if (wrong := paired["compound"] != paired["compound_of_baseline"]).any():
        row = paired.loc[wrong, keys].iloc[0].to_dict()
        raise ValueError(f"compare_ranks: the two tables give different compounds to {row}")
    rows = []
    compound, draw = paired["compound"].to_numpy(), paired["draw"].to_numpy()
    rank, baseline_rank = paired["rank"].to_numpy(), paired["rank_of_baseline"].to_numpy()
    ks = np.asarray(summary.top_k)
    for setting, members in _settings(paired):
        weights = _draw_weights(draw[members])
        hits, baseline_hits = rank[members, None] <= ks, baseline_rank[members, None] <= ks
        differences, lows, highs = paired_difference(
            hits, baseline_hits, compound[members], summary.confidence, seed=summary.seed, weights=weights
        )
        common = {
            **setting,
            "against": against,
            "n": round(len(members) / len(np.unique(draw[members]))),
            "compounds": pd.unique(compound[members]).size,
        }
        for k, difference, low, high in zip(summary.top_k, differences, lows, highs, strict=True):
            rows.append({**common, "metric": f"top-{k}", "difference": difference, "low": low, "high": high})
    return pd.DataFrame(rows, columns=DIFFERENCES).astype(dict.fromkeys(("difference", "low", "high"), float))


class _Queries:
    """Some rows of a table of ranks, as arrays."""

    def __init__(
        self, draw: np.ndarray, rank: np.ndarray, candidates: np.ndarray, compound: np.ndarray, rows: np.ndarray
    ):
        self.draw, self.rank = draw[rows], rank[rows]
        self.candidates, self.compound = candidates[rows], compound[rows]

    def common(self, setting: dict, draws: int) -> dict:
        """Columns that are the same for all metrics of these queries."""
        return {
            **setting,
            "draws": draws,
            "candidates": self.candidates.mean(),
            "n": round(len(self.rank) / draws),
            "compounds": pd.unique(self.compound).size,
        }


def _rows_of_first_draw(setting: dict, queries: _Queries, summary: Summary) -> list[dict]:
    common, n = queries.common(setting, draws=1), len(queries.rank)
    rows = []
    for metric in rank_metrics(summary.top_k):
        value = metric.value(queries.rank, queries.candidates)
        row = {**common, "metric": metric.name, "value": value, "chance": metric.chance(queries.candidates)}
        if metric.proportion:
            hits = int(metric.per_query(queries.rank, queries.candidates).sum())
            low, high = exact_interval(hits, n, summary.confidence)
            row |= {"value": hits / n, "low": low, "high": high, "interval": "exact", "successes": hits}
        rows.append({"interval": "none", **row})
    return rows


def _rows_over_draws(setting: dict, queries: _Queries, summary: Summary) -> list[dict]:
    draws, codes = np.unique(queries.draw, return_inverse=True)
    n_draws = len(draws)
    common = queries.common(setting, draws=n_draws)
    metrics = rank_metrics(summary.top_k)
    means = [metric for metric in metrics if metric.summary == "mean"]
    values = np.column_stack([metric.per_query(queries.rank, queries.candidates) for metric in means]).astype(float)
    sums = np.column_stack([np.bincount(codes, column, n_draws) for column in values.T])
    by_draw = sums / np.bincount(codes)[:, None]
    weights = _draw_weights(queries.draw)
    low, high = clustered_mean_interval(
        values, queries.compound, summary.confidence, seed=summary.seed, weights=weights
    )
    rows = {}
    for i, metric in enumerate(means):
        rows[metric.name] = {"low": low[i], "high": high[i], "interval": "bootstrap"} | _mean_and_spread(by_draw[:, i])
    for metric in metrics:
        if metric.name not in rows:
            medians = [metric.value(queries.rank[codes == k], queries.candidates[codes == k]) for k in range(n_draws)]
            rows[metric.name] = {"interval": "none"} | _mean_and_spread(np.array(medians))
    return [
        {**common, "metric": metric.name, **rows[metric.name], "chance": metric.chance(queries.candidates)}
        for metric in metrics
    ]


def _mean_and_spread(values: np.ndarray) -> dict[str, float]:
    return {"value": values.mean(), "spread": values.std(ddof=1)}


def _draw_weights(draw: np.ndarray) -> np.ndarray:
    """Weights of queries, (N,), that give every draw the same total weight."""
    _, codes, counts = np.unique(draw, return_inverse=True, return_counts=True)
    return 1 / counts[codes]


def _settings(table: pd.DataFrame) -> Iterator[tuple[dict, np.ndarray]]:
    """Each setting of the table, in order of appearance, and the positions of its rows."""
    if table.empty:
        return
    code = np.zeros(len(table), np.int64)
    for name in SETTING:
        codes, values = pd.factorize(table[name], use_na_sentinel=False)
        code = code * len(values) + codes
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    bounds = np.cumsum(np.bincount(group))[:-1]
    members = np.split(np.argsort(group, kind="stable"), bounds)
    order = np.argsort(first)
    columns = [[None if pd.isna(value) else value for value in table[name].iloc[first[order]]] for name in SETTING]
    for number, row in zip(order, zip(*columns, strict=True), strict=True):
        yield dict(zip(SETTING, row, strict=True)), members[number]


def _share_a_value(a: pd.DataFrame, b: pd.DataFrame, name: str) -> bool:
    """Whether a column of two tables has a value in common. A missing value counts as a value."""
    if name not in a or name not in b:
        return False
    values_of_a, values_of_b = (
        {None if pd.isna(value) else value for value in column.unique()} for column in (a[name], b[name])
    )
    return not values_of_a.isdisjoint(values_of_b)

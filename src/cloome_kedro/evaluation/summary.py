"""From ranks to metrics: top-k accuracies, mean and median ranks, chance, and paired differences.

Of any task whose ranks are in the table ``ranks``, for many methods and settings at once.
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
_KINDS: dict[str, Any] = {
    "successes": "Int64",
    **dict.fromkeys(("candidates", "value", "low", "high", "spread", "chance"), float),
}


@dataclass(frozen=True)
class Summary:
    """How ranks are summarised.

    Attributes
    ----------
    top_k
        The k of top-k accuracy.
    confidence
        Of the intervals.
    seed
        Of the bootstrap.
    """

    top_k: Sequence[int] = (1, 5, 10)
    confidence: float = 0.95
    seed: int = 0


def summarise_ranks(ranks: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """Top-k accuracies, mean and median rank of every setting, with intervals and what chance gives.

    Parameters
    ----------
    ranks
        Table ``ranks``, of one method and setting or of several.
    summary
        The k, and the intervals.

    Returns
    -------
    pandas.DataFrame
        Table ``metrics`` without its split hash. Rows with ``draws`` 1 are of draw 0 alone; proportions have their
        exact (Clopper-Pearson) interval. Where there are more draws, further rows hold the mean over all, with the
        spread (standard deviation) over draws and a bootstrap over compounds. Rows of the method ``Random``, one for
        each setting and metric, hold the exact expectation of a ranking at random.
    """
    rows = []
    compound, draw = ranks["compound"].to_numpy(), ranks["draw"].to_numpy()
    rank, candidates = ranks["rank"].to_numpy(), ranks["candidates"].to_numpy()
    for setting, members in _settings(ranks):
        first = members[draw[members] == 0]
        if len(first):
            rows += _of_one_draw(setting, _Queries(draw, rank, candidates, compound, first), summary)
        if len(np.unique(draw[members])) > 1:
            rows += _of_all_draws(setting, _Queries(draw, rank, candidates, compound, members), summary)
    metrics = pd.DataFrame(rows, columns=METRICS).astype(_KINDS)
    random = metrics.assign(
        method=RANDOM, value=metrics["chance"], low=np.nan, high=np.nan, interval="none", successes=None, spread=np.nan
    ).drop_duplicates([*SETTING, "draws", "candidates", "metric"])
    return pd.concat([metrics, random.astype(_KINDS)], ignore_index=True)


def compare_ranks(ranks: pd.DataFrame, baseline: pd.DataFrame, against: str, summary: Summary) -> pd.DataFrame:
    """Top-k accuracy of ``ranks`` minus that of ``baseline``, over the queries that both have.

    Parameters
    ----------
    ranks, baseline
        Tables ``ranks``. Rows are paired by draw, query, and every column of the setting of which both have a value
        in common: if all ``baseline`` is of clean images and none of ``ranks`` is, images are what is compared.
    against
        Says what ``baseline`` is.
    summary
        The k, and the intervals.

    Returns
    -------
    pandas.DataFrame
        Table ``differences`` without its split hash: for each setting of ``ranks`` that has a baseline, the mean over
        draws, and its interval by a bootstrap over compounds. ``n`` is the number of paired queries of a draw.

    Raises
    ------
    ValueError
        If the baseline has two rows for a query, or rows of the two have different compounds.
    """
    shared = [name for name in SETTING if _overlap(ranks, baseline, name)]
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
    ours, theirs = paired["rank"].to_numpy(), paired["rank_of_baseline"].to_numpy()
    ks = np.asarray(summary.top_k)
    for setting, members in _settings(paired):
        weights = _draw_weights(draw[members])
        a, b = ours[members, None] <= ks, theirs[members, None] <= ks
        found = paired_difference(a, b, compound[members], summary.confidence, seed=summary.seed, weights=weights)
        common = {
            **setting,
            "against": against,
            "n": round(len(members) / len(np.unique(draw[members]))),
            "compounds": pd.unique(compound[members]).size,
        }
        for k, difference, low, high in zip(summary.top_k, *found, strict=True):
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
        """Columns that all metrics of these queries share."""
        return {
            **setting,
            "draws": draws,
            "candidates": self.candidates.mean(),
            "n": round(len(self.rank) / draws),
            "compounds": pd.unique(self.compound).size,
        }


def _of_one_draw(setting: dict, queries: _Queries, summary: Summary) -> list[dict]:
    common, n = queries.common(setting, draws=1), len(queries.rank)
    rows = []
    for metric in rank_metrics(summary.top_k):
        value = metric.value(queries.rank, queries.candidates)
        row = {**common, "metric": metric.name, "value": value, "chance": metric.chance(queries.candidates)}
        if metric.proportion:
            hits = int(metric.of_queries(queries.rank, queries.candidates).sum())
            low, high = exact_interval(hits, n, summary.confidence)
            row |= {"value": hits / n, "low": low, "high": high, "interval": "exact", "successes": hits}
        rows.append({"interval": "none", **row})
    return rows


def _of_all_draws(setting: dict, queries: _Queries, summary: Summary) -> list[dict]:
    draws, codes = np.unique(queries.draw, return_inverse=True)
    size = len(draws)
    common = queries.common(setting, draws=size)
    metrics = rank_metrics(summary.top_k)
    means = [metric for metric in metrics if metric.summary == "mean"]
    values = np.column_stack([metric.of_queries(queries.rank, queries.candidates) for metric in means]).astype(float)
    sums = np.column_stack([np.bincount(codes, column, size) for column in values.T])
    per_draw = sums / np.bincount(codes)[:, None]
    weights = _draw_weights(queries.draw)
    low, high = clustered_mean_interval(
        values, queries.compound, summary.confidence, seed=summary.seed, weights=weights
    )
    rows = {}
    for i, metric in enumerate(means):
        rows[metric.name] = {"low": low[i], "high": high[i], "interval": "bootstrap"} | _over_draws(per_draw[:, i])
    for metric in metrics:
        if metric.name not in rows:
            of_draws = [metric.value(queries.rank[codes == k], queries.candidates[codes == k]) for k in range(size)]
            rows[metric.name] = {"interval": "none"} | _over_draws(np.array(of_draws))
    return [
        {**common, "metric": metric.name, **rows[metric.name], "chance": metric.chance(queries.candidates)}
        for metric in metrics
    ]


def _over_draws(values: np.ndarray) -> dict[str, float]:
    return {"value": values.mean(), "spread": values.std(ddof=1)}


def _draw_weights(draw: np.ndarray) -> np.ndarray:
    """Weights by which every draw counts the same, however many queries it has: (N,)."""
    _, codes, counts = np.unique(draw, return_inverse=True, return_counts=True)
    return 1 / counts[codes]


def _settings(table: pd.DataFrame) -> Iterator[tuple[dict, np.ndarray]]:
    """Each setting in the table, in order of appearance, with the numbers of its rows."""
    if table.empty:
        return
    code = np.zeros(len(table), np.int64)
    for name in SETTING:
        codes, values = pd.factorize(table[name], use_na_sentinel=False)
        code = code * len(values) + codes
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    bounds = np.cumsum(np.bincount(group))[:-1]
    members = np.split(np.argsort(group, kind="stable"), bounds)
    for which in np.argsort(first):
        values = table[list(SETTING)].iloc[first[which]]
        yield {name: None if pd.isna(value) else value for name, value in values.items()}, members[which]


def _overlap(a: pd.DataFrame, b: pd.DataFrame, name: str) -> bool:
    """Whether two tables have values of a column in common; none counts as a value."""
    if name not in a or name not in b:
        return False
    ours, theirs = (
        set(column.dropna().unique()) | ({None} if column.hasnans else set()) for column in (a[name], b[name])
    )
    return bool(ours & theirs)

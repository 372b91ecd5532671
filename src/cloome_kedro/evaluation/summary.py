"""From ranks to metrics: top-k accuracies, mean and median ranks, chance, and paired differences.

Of any task whose ranks are in the table ``ranks``, for many methods and settings at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.bootstrap import clustered_mean_interval, paired_difference
from cloome_kedro.evaluation.intervals import exact_interval

SETTING = ("split", "task", "method", "images", "direction", "pool", "shown_by", "excluded")
RANDOM = "Random"

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


def summarise_ranks(ranks: pd.DataFrame, top_k: Sequence[int], confidence: float, seed: int = 0) -> pd.DataFrame:
    """Top-k accuracies, mean and median rank of every setting, with intervals and what chance gives.

    Parameters
    ----------
    ranks
        Table ``ranks``, of one method and setting or of several.
    top_k
        The k of top-k accuracy.
    confidence
        Of the intervals.
    seed
        Of the bootstrap.

    Returns
    -------
    pd.DataFrame
        Table ``metrics`` without its split hash. Rows with ``draws`` 1 are of draw 0 alone, proportions with their
        exact (Clopper-Pearson) interval. Where there are more draws, further rows hold the mean over all, with the
        spread (standard deviation) over draws and a bootstrap over compounds. Rows of the method ``Random``, one a
        setting, hold the exact expectation of a ranking at random.
    """
    rows = []
    compound, draw = ranks["compound"].to_numpy(), ranks["draw"].to_numpy()
    rank, candidates = ranks["rank"].to_numpy(), ranks["candidates"].to_numpy()
    for setting, members in _settings(ranks):
        first = members[draw[members] == 0]
        if len(first):
            rows += _of_one_draw(setting, rank[first], candidates[first], compound[first], top_k, confidence)
        if len(np.unique(draw[members])) > 1:
            parts = draw[members], rank[members], candidates[members], compound[members]
            rows += _of_all_draws(setting, *parts, top_k, confidence, seed)
    metrics = pd.DataFrame(rows, columns=METRICS).astype(_KINDS)
    random = metrics.assign(
        method=RANDOM, value=metrics["chance"], low=np.nan, high=np.nan, interval="none", successes=None, spread=np.nan
    ).drop_duplicates([*SETTING, "draws", "candidates", "metric"])
    return pd.concat([metrics, random.astype(_KINDS)], ignore_index=True)


def compare_ranks(
    ranks: pd.DataFrame,
    baseline: pd.DataFrame,
    against: str,
    top_k: Sequence[int],
    confidence: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Top-k accuracy of ``ranks`` minus that of ``baseline``, over the queries that both have.

    Parameters
    ----------
    ranks, baseline
        Tables ``ranks``. Rows are paired by draw, query, and every column of the setting of which both have a value
        in common: if all ``baseline`` is of clean images and none of ``ranks`` is, images are what is compared.
    against
        Says what ``baseline`` is.
    top_k, confidence, seed
        As in :func:`summarise_ranks`.

    Returns
    -------
    pd.DataFrame
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
    ks = np.asarray(top_k)
    for setting, members in _settings(paired):
        weights = _draw_weights(draw[members])
        a, b = ours[members, None] <= ks, theirs[members, None] <= ks
        found = paired_difference(a, b, compound[members], confidence, seed=seed, weights=weights)
        common = {
            **setting,
            "against": against,
            "n": round(len(members) / len(np.unique(draw[members]))),
            "compounds": pd.unique(compound[members]).size,
        }
        for k, difference, low, high in zip(top_k, *found, strict=True):
            rows.append({**common, "metric": f"top-{k}", "difference": difference, "low": low, "high": high})
    return pd.DataFrame(rows, columns=DIFFERENCES).astype(dict.fromkeys(("difference", "low", "high"), float))


def chance_top_k(candidates: np.ndarray, k: int) -> float:
    """Expected top-k accuracy of a ranking at random, in pools of (N,) sizes: mean of min(k, size) / size."""
    sizes, counts = np.unique(candidates, return_counts=True)
    shares = np.minimum(k, sizes) / sizes
    return float(shares[0] if len(sizes) == 1 else np.average(shares, weights=counts))


def _chance_rank(candidates: np.ndarray) -> tuple[float, float]:
    """Mean and median of a random rank, uniform in each of the pools."""
    sizes, counts = np.unique(candidates, return_counts=True)
    if len(sizes) == 1:
        return (sizes[0] + 1) / 2, (sizes[0] + 1) / 2
    ranks = np.arange(1, sizes[-1] + 1)
    weight = np.zeros(sizes[-1])
    weight[sizes - 1] = counts / sizes / counts.sum()
    # Rank r is possible in pools of size r and more.
    cumulative = np.cumsum(np.cumsum(weight[::-1])[::-1])
    lower, upper = ranks[cumulative > 0.5 - 1e-9][0], ranks[cumulative > 0.5 + 1e-9][0]
    return float(np.average((sizes + 1) / 2, weights=counts)), float(lower + upper) / 2


def _of_one_draw(setting, rank, candidates, compound, top_k, confidence) -> list[dict]:
    n = len(rank)
    common = {
        **setting,
        "draws": 1,
        "candidates": candidates.mean(),
        "n": n,
        "compounds": pd.unique(compound).size,
    }
    rows = []
    for k in top_k:
        hits = int((rank <= k).sum())
        low, high = exact_interval(hits, n, confidence)
        found = {"metric": f"top-{k}", "value": hits / n, "low": low, "high": high, "interval": "exact"}
        rows.append({**common, **found, "successes": hits, "chance": chance_top_k(candidates, k)})
    of_mean, of_median = _chance_rank(candidates)
    for name, value, chance in (("mean", rank.mean(), of_mean), ("median", np.median(rank), of_median)):
        rows.append({**common, "metric": f"{name} rank", "value": float(value), "interval": "none", "chance": chance})
    return rows


def _of_all_draws(setting, draw, rank, candidates, compound, top_k, confidence, seed) -> list[dict]:
    draws, codes = np.unique(draw, return_inverse=True)
    weights = _draw_weights(draw)
    values = np.column_stack([*(rank <= k for k in top_k), rank]).astype(float)
    size = len(draws)
    sums = np.column_stack([np.bincount(codes, column, size) for column in values.T])
    per_draw = sums / np.bincount(codes)[:, None]
    low, high = clustered_mean_interval(values, compound, confidence, seed=seed, weights=weights)
    medians = np.array([np.median(rank[codes == code]) for code in range(size)])
    of_mean, of_median = _chance_rank(candidates)
    chances = [*(chance_top_k(candidates, k) for k in top_k), of_mean]
    common = {
        **setting,
        "draws": size,
        "candidates": candidates.mean(),
        "n": round(len(rank) / size),
        "compounds": pd.unique(compound).size,
    }
    rows = [
        {
            **common,
            "metric": metric,
            "value": per_draw[:, i].mean(),
            "low": low[i],
            "high": high[i],
            "interval": "bootstrap",
            "spread": per_draw[:, i].std(ddof=1),
            "chance": chances[i],
        }
        for i, metric in enumerate([*(f"top-{k}" for k in top_k), "mean rank"])
    ]
    found = {"metric": "median rank", "value": medians.mean(), "spread": medians.std(ddof=1), "interval": "none"}
    return [*rows, {**common, **found, "chance": of_median}]


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

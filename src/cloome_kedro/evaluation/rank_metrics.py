"""Metrics of ranks: their value for each query, and their expected value for a random ranking.

A new metric is one function, here or in your own module, that :func:`rank_metric` registers. Tables list the top-k
accuracies first, for the k of the configuration, and then the registered metrics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from cloome_kedro.registry import Registry

#: ranks (n,) and pool sizes (n,) of queries -> a number for each query (n,)
PerQuery = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RankMetric:
    """A metric of many queries.

    Attributes
    ----------
    name
        Name in tables.
    per_query
        Function from the ranks (n,) and pool sizes (n,) of queries to a number for each query, (n,).
    chance
        Function from the pool sizes (n,) to the expected value of a random ranking.
    summary
        Whether the metric is the mean or the median over queries.
    proportion
        Whether the numbers are only 0 or 1. The mean of one draw then has an exact interval.
    """

    name: str
    per_query: PerQuery
    chance: Callable[[np.ndarray], float]
    summary: Literal["mean", "median"] = "mean"
    proportion: bool = False

    def value(self, rank: np.ndarray, candidates: np.ndarray) -> float:
        """Value of the metric, from the ranks (n,) and pool sizes (n,) of queries."""
        numbers = self.per_query(rank, candidates)
        return float(np.median(numbers) if self.summary == "median" else numbers.mean())


RANK_METRICS: Registry[RankMetric] = Registry("metric of ranks")


def rank_metric(
    name: str, chance: Callable[[np.ndarray], float], summary: Literal["mean", "median"] = "mean"
) -> Callable[[PerQuery], PerQuery]:
    """Register the decorated function as a metric. It maps ranks and pool sizes to a number for each query.

    Parameters
    ----------
    name
        Name in tables.
    chance, summary
        As in :class:`RankMetric`.
    """

    def register(function: PerQuery) -> PerQuery:
        RANK_METRICS.add(name, RankMetric(name, function, chance, summary), module=function.__module__)
        return function

    return register


def rank_metrics(top_k: Sequence[int]) -> list[RankMetric]:
    """Top-k accuracies for the given k, then all registered metrics.

    >>> [metric.name for metric in rank_metrics([1, 5])]
    ['top-1', 'top-5', 'mean rank', 'median rank']
    """
    accuracies = [
        RankMetric(f"top-{k}", partial(_within, k), partial(chance_top_k, k=k), proportion=True) for k in top_k
    ]
    return [*accuracies, *(RANK_METRICS[name] for name in RANK_METRICS)]


def _within(k: int, rank: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return rank <= k


def chance_top_k(candidates: np.ndarray, k: int) -> float:
    """Expected top-k accuracy of a random ranking: the mean of min(k, size) / size over the pool sizes (n,).

    >>> chance_top_k(np.array([100, 100]), k=5)
    0.05
    """
    sizes, counts = np.unique(candidates, return_counts=True)
    shares = np.minimum(k, sizes) / sizes
    return float(shares[0] if len(sizes) == 1 else np.average(shares, weights=counts))


def _chance_mean(candidates: np.ndarray) -> float:
    """Mean of ranks that are uniform in pools of the given sizes (n,)."""
    sizes, counts = np.unique(candidates, return_counts=True)
    return float(np.average((sizes + 1) / 2, weights=counts)) if len(sizes) > 1 else float(sizes[0] + 1) / 2


def _chance_median(candidates: np.ndarray) -> float:
    """Median of ranks that are uniform in pools of the given sizes (n,)."""
    sizes, counts = np.unique(candidates, return_counts=True)
    if len(sizes) == 1:
        return float(sizes[0] + 1) / 2
    ranks = np.arange(1, sizes[-1] + 1)
    weight = np.zeros(sizes[-1])
    weight[sizes - 1] = counts / sizes / counts.sum()
    # A rank r only occurs in pools of at least r candidates.
    cumulative = np.cumsum(np.cumsum(weight[::-1])[::-1])
    lower, upper = ranks[cumulative > 0.5 - 1e-9][0], ranks[cumulative > 0.5 + 1e-9][0]
    return float(lower + upper) / 2


@rank_metric("mean rank", chance=_chance_mean)
def _mean_rank(rank: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return rank


@rank_metric("median rank", chance=_chance_median, summary="median")
def _median_rank(rank: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return rank

"""Metrics of ranks: what each says of a query, and what a ranking at random would give.

A new metric is one function here, or in a module of your own, that :func:`rank_metric` registers. Top-k accuracies, for
the k of the configuration, come before the registered metrics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from cloome_kedro.registry import Registry


@dataclass(frozen=True)
class RankMetric:
    """A metric of many queries.

    Attributes
    ----------
    name
        As tables show it.
    of_queries
        Ranks (n,) and sizes of the pools (n,) -> a number for each query, (n,) float.
    chance
        Sizes of the pools (n,) -> what a ranking at random gives on average.
    summary
        Whether the metric is the mean over queries, or their median.
    proportion
        Whether numbers are 0 or 1, so that the mean of one draw has an exact interval.
    """

    name: str
    of_queries: Callable[[np.ndarray, np.ndarray], np.ndarray]
    chance: Callable[[np.ndarray], float]
    summary: Literal["mean", "median"] = "mean"
    proportion: bool = False

    def value(self, rank: np.ndarray, candidates: np.ndarray) -> float:
        """The metric of some queries."""
        numbers = self.of_queries(rank, candidates)
        return float(np.median(numbers) if self.summary == "median" else numbers.mean())


RANK_METRICS: Registry[RankMetric] = Registry("metric of ranks")

OfQueries = Callable[[np.ndarray, np.ndarray], np.ndarray]


def rank_metric(
    name: str, chance: Callable[[np.ndarray], float], summary: Literal["mean", "median"] = "mean"
) -> Callable[[OfQueries], OfQueries]:
    """Register the decorated function, ranks and sizes of the pools -> a number for each query, as a metric.

    Parameters
    ----------
    name
        As tables show it.
    chance, summary
        As in :class:`RankMetric`.
    """

    def register(function: OfQueries) -> OfQueries:
        RANK_METRICS.add(name, RankMetric(name, function, chance, summary), module=function.__module__)
        return function

    return register


def rank_metrics(top_k: Sequence[int]) -> list[RankMetric]:
    """Top-k accuracies of these k, then all registered metrics.

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
    """Expected top-k accuracy of a ranking at random, in pools of (n,) sizes: mean of min(k, size) / size.

    >>> chance_top_k(np.array([100, 100]), k=5)
    0.05
    """
    sizes, counts = np.unique(candidates, return_counts=True)
    shares = np.minimum(k, sizes) / sizes
    return float(shares[0] if len(sizes) == 1 else np.average(shares, weights=counts))


def _chance_mean(candidates: np.ndarray) -> float:
    """Mean of a random rank, uniform in each of the pools."""
    sizes, counts = np.unique(candidates, return_counts=True)
    return float(np.average((sizes + 1) / 2, weights=counts)) if len(sizes) > 1 else float(sizes[0] + 1) / 2


def _chance_median(candidates: np.ndarray) -> float:
    """Median of a random rank, uniform in each of the pools."""
    sizes, counts = np.unique(candidates, return_counts=True)
    if len(sizes) == 1:
        return float(sizes[0] + 1) / 2
    ranks = np.arange(1, sizes[-1] + 1)
    weight = np.zeros(sizes[-1])
    weight[sizes - 1] = counts / sizes / counts.sum()
    # Rank r is possible in pools of size r and more.
    cumulative = np.cumsum(np.cumsum(weight[::-1])[::-1])
    lower, upper = ranks[cumulative > 0.5 - 1e-9][0], ranks[cumulative > 0.5 + 1e-9][0]
    return float(lower + upper) / 2


@rank_metric("mean rank", chance=_chance_mean)
def _mean_rank(rank: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return rank


@rank_metric("median rank", chance=_chance_median, summary="median")
def _median_rank(rank: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return rank

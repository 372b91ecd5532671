"""What a rank is worth, and how many candidates must be listed: from ranks among all that an index holds."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class CandidateSet:
    """How many candidates must be listed so that the match is among them.

    Attributes
    ----------
    level
        Intended probability, such as 0.9.
    first, candidates
        The match is among the first ``first`` of ``candidates``.
    coverage, low, high
        Measured share of test compounds for which this is true, with its interval; NaN if it was not measured.
    """

    level: float
    first: int
    candidates: int
    coverage: float = math.nan
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        text = f"the match is among the first {self.first:,} of {self.candidates:,} with {100 * self.level:.0f} %"
        if math.isnan(self.coverage):
            return text
        return f"{text} (measured {100 * self.coverage:.1f} %, {100 * self.low:.0f}–{100 * self.high:.0f})"


def candidate_sets(table: pd.DataFrame, kind: str, candidates: int) -> list[CandidateSet]:
    """Candidate sets of searches for one kind of rows, for a number of candidates; by level.

    Parameters
    ----------
    table
        Table ``candidate_sets`` of the index; it may be empty.
    kind
        ``fields``, ``wells`` or ``compounds``: what is searched.
    candidates
        Number n of candidates. Of these, ``ceil(share * n)`` are listed.
    """
    if not len(table) or not candidates:
        return []
    chosen = table[table["searched"] == kind].sort_values("level")
    return [
        CandidateSet(
            level,
            min(candidates, max(1, math.ceil(share * candidates - 1e-9))),
            candidates,
            *measured,
        )
        for level, share, *measured in chosen[["level", "share", "coverage", "low", "high"]].to_numpy(float).tolist()
    ]


def worth_of_ranks(ranks: pd.DataFrame, kind: str, rank: np.ndarray, candidates: int) -> np.ndarray:
    """Share of test queries whose match ranked as high, as a share of their candidates.

    Ranks are compared as shares of the candidates, so that pools of different sizes can be compared. Between the shares
    that occur, the share of queries is interpolated, from 0 at rank 0.

    Parameters
    ----------
    ranks
        Table ``ranks`` of the index: ``searched``, ``rank`` and ``candidates`` of test queries.
    kind
        ``fields``, ``wells`` or ``compounds``: what is searched.
    rank
        (N,) ranks, from 1.
    candidates
        Number of candidates of these ranks.

    Returns
    -------
    (N,) float, from 0 to 1; NaN if the table has no such ranks.

    Examples
    --------
    >>> ranks = pd.DataFrame({"searched": "fields", "rank": [1, 2, 2, 4], "candidates": 4})
    >>> worth_of_ranks(ranks, "fields", np.array([1, 2, 3, 4]), 4)
    array([0.25, 0.75, 0.75, 1.  ])
    >>> worth_of_ranks(ranks, "fields", np.array([1, 2]), 8)  # the first of 8 is half of the first quarter
    array([0.125, 0.25 ])
    """
    if not len(ranks):
        return np.full(len(rank), np.nan)
    chosen = ranks[ranks["searched"] == kind]
    if not len(chosen):
        return np.full(len(rank), np.nan)
    steps = np.arange(1, int(chosen["candidates"].max()) + 1)
    shares = np.sort((chosen["rank"] / chosen["candidates"]).to_numpy())
    reached = np.searchsorted(shares, steps / len(steps) + 1e-12, side="right") / len(shares)
    return np.interp(np.asarray(rank) / candidates, np.r_[0, steps / len(steps)], np.r_[0, reached])

"""One query per compound of a fold, with the scores of all its candidates.

Conformal sets need one exchangeable unit per compound. So each compound gives one query: in retrieval one drawn field,
the mean over its fields, or its structure; in zero-shot classification one drawn field.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.draws import draw_fields, mean_by_compound
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.retrieval import both_ways
from cloome_kedro.evaluation.zero_shot import blocks_of_plan, rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import Plan, plan_zero_shot
from cloome_kedro.evaluation.zero_shot_protocols import Protocol

_BLOCK = 512  # queries whose scores are in memory at a time


class ScoreBlock(NamedTuple):
    """Scores of some queries.

    Attributes
    ----------
    rows
        (B,) positions of the queries.
    scores
        (B, M) float64; minus infinity where a candidate is not in the pool of the query.
    match
        (B,) column of the true candidate.
    """

    rows: np.ndarray
    scores: np.ndarray
    match: np.ndarray


@dataclass(frozen=True)
class ScoredQueries:
    """Queries of N different compounds, and their candidates.

    Attributes
    ----------
    compounds
        (N,) InChIKeys, all different.
    ranks
        (N,) ranks of the true candidates, as :func:`~cloome_kedro.evaluation.ranks.match_ranks` gives them.
    candidates
        (N,) numbers of candidates.
    blocks
        Function that yields the scores block by block. Each call computes them again, so that memory does not grow with
        the number of queries times that of candidates.
    """

    compounds: np.ndarray
    ranks: np.ndarray
    candidates: np.ndarray
    blocks: Callable[[], Iterator[ScoreBlock]]

    def __len__(self) -> int:
        return len(self.compounds)


def no_queries() -> ScoredQueries:
    """Queries of a fold without any."""
    none = np.zeros(0, np.int64)
    return ScoredQueries(np.zeros(0, object), none, none, lambda: iter(()))


def retrieval_queries(method: Method, fields: pd.DataFrame, shown_by: str, seed: int) -> dict[str, ScoredQueries]:
    """Queries of cross-modal retrieval in the full pool of a fold, by direction.

    Parameters
    ----------
    method
        Method with vectors of compounds. Fields and compounds that it does not know are left out.
    fields
        Result of :func:`~cloome_kedro.evaluation.retrieval.fold_fields`.
    shown_by
        ``field``: the field of draw 0 of retrieval shows a compound. ``mean``: the mean over its fields.
    seed
        Seed of the draw and of random ties.
    """
    assert method.compounds is not None
    table = draw_fields(fields, seed) if shown_by == "field" else fields
    table = table[method.fields.knows(table["field_id"]) & method.compounds.knows(table["inchikey"])]
    if table.empty:
        return {}
    keys = table["inchikey"].to_numpy()
    if shown_by == "mean":
        keys, images = mean_by_compound(method.fields.for_means(table["field_id"], keys), table)
        images = unit_rows(images) if method.normalised else images
    else:
        images = method.fields.of(table["field_id"])
    match = np.arange(len(keys))
    found = {}
    for direction, (queries, candidates) in both_ways(images, method.compounds.of(keys)).items():
        ranks = match_ranks(queries, candidates, match, method.ties, seed)
        sizes = np.full(len(keys), len(keys))
        found[direction] = ScoredQueries(keys, ranks, sizes, _retrieval_blocks(queries, candidates))
    return found


def _retrieval_blocks(queries: np.ndarray, candidates: np.ndarray) -> Callable[[], Iterator[ScoreBlock]]:
    def blocks() -> Iterator[ScoreBlock]:
        for start in range(0, len(queries), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(queries)))
            yield ScoreBlock(rows, (queries[rows] @ candidates.T).astype(np.float64), rows)

    return blocks


def plan_queries(fields: pd.DataFrame, protocol: Protocol, seed: int) -> Plan | None:
    """Plan draw 0 of a protocol of zero-shot classification, with one drawn query per compound. None without queries.

    Parameters
    ----------
    fields
        As in :func:`~cloome_kedro.evaluation.zero_shot_plan.plan_zero_shot`.
    protocol
        Which references a query may have.
    seed
        Seed of the plan and of the drawn queries.
    """
    if fields.empty:
        return None
    plan = plan_zero_shot(fields, protocol.excluded, protocol.shown_by, protocol.pool, seed)
    asked = plan.fields.iloc[plan.queries].assign(place=np.arange(len(plan.queries)))
    if asked.empty:
        return None
    places = np.sort(draw_fields(asked, seed)["place"].to_numpy())
    used, pool = np.unique(plan.pool[places], return_inverse=True)
    return replace(
        plan,
        queries=plan.queries[places],
        match=plan.match[places],
        pool=pool,
        pools=[plan.pools[number] for number in used],
    )


def zero_shot_queries(method: Method, fields: pd.DataFrame, plan: Plan | None, seed: int) -> ScoredQueries:
    """Queries of zero-shot classification. There are none without a plan.

    Parameters
    ----------
    method
        Method that knows all of ``fields``.
    fields, plan
        The fields that were planned, and the result of :func:`plan_queries`.
    seed
        Seed of random ties.
    """
    if plan is None:
        return no_queries()
    vectors = method.unit_fields(fields["field_id"])
    references = method.weighted_for_means(vectors, fields) if plan.shown_by == "mean" else vectors
    ranked = rank_by_plan(plan, vectors, references, method.ties, seed)

    def blocks() -> Iterator[ScoreBlock]:
        for block in blocks_of_plan(plan, vectors, references):
            scores = (block.queries @ block.references.T).astype(np.float64)
            scores[~block.pools.members[block.pools.of_query]] = -np.inf
            yield ScoreBlock(block.rows, scores, block.match)

    return ScoredQueries(
        ranked["compound"].to_numpy(), ranked["rank"].to_numpy(), ranked["candidates"].to_numpy(), blocks
    )

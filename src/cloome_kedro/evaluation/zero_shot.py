"""Zero-shot classification, image to image: which class (compound or mechanism) does a field show.

Every class has a reference, and a query field is ranked against the references of all classes. Protocols differ in the
references that a query may have (:mod:`~cloome_kedro.evaluation.zero_shot_plan`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.ranks import Pools, Ties, check_pool, count_rivals, resolve_ties
from cloome_kedro.evaluation.zero_shot_plan import Plan, Pool, ShownBy, plan_zero_shot

_POOLS = 1024  # pools that are ranked at a time


def zero_shot_ranks(
    queries: np.ndarray,
    references: np.ndarray,
    fields: pd.DataFrame,
    excluded: Sequence[str] = (),
    shown_by: ShownBy = "field",
    pool: Pool = "full",
    seed: int = 0,
    draw: int = 0,
    ties: Ties = "pessimistic",
    where_possible: Sequence[str] = (),
) -> pd.DataFrame:
    """Rank the class of every query field among all classes: :func:`plan_zero_shot`, then :func:`rank_by_plan`.

    Parameters
    ----------
    queries, references, ties
        As in :func:`rank_by_plan`.
    fields, excluded, shown_by, pool, draw, where_possible
        As in :func:`~cloome_kedro.evaluation.zero_shot_plan.plan_zero_shot`.
    seed
        Seed of the plan and of random ties.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["s/1", "s/2", "s/3", "s/4"], "label": ["A", "A", "B", "B"]})
    >>> fields = fields.assign(inchikey=fields["label"], plate=["P", "Q", "P", "Q"], well="A01")
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
    >>> zero_shot_ranks(vectors, vectors, fields, excluded=["plate"])[["match", "candidates", "rank"]]
      match  candidates  rank
    0     A           2     1
    1     B           2     1
    """
    plan = plan_zero_shot(fields, excluded, shown_by, pool, seed, draw, where_possible)
    return rank_by_plan(plan, queries, references, ties, seed)


def rank_by_plan(
    plan: Plan, queries: np.ndarray, references: np.ndarray, ties: Ties = "pessimistic", seed: int = 0
) -> pd.DataFrame:
    """Rank the class of every query of a plan by the dot products of the query with all references.

    Parameters
    ----------
    plan
        Plan for the N fields of the vectors.
    queries, references
        (N, d) L2-normalised vectors of the fields, in the order of the table that was planned with: as queries, and as
        references. They differ if one of them is of corrupted images, or if means have weights, by which references
        are multiplied (:meth:`~cloome_kedro.evaluation.methods.Method.weighted_for_means`).
    ties, seed
        As in :func:`~cloome_kedro.evaluation.ranks.match_ranks`.

    Returns
    -------
    pandas.DataFrame
        One row per query, sorted by ``field_id``, with the columns

        - ``query``: its ``field_id``;
        - ``match``: its class;
        - ``compound``: its InChIKey;
        - ``candidates``: number of classes that it was ranked among;
        - ``rank``.

    Raises
    ------
    ValueError
        If the vectors do not fit the plan, or if one is not finite.
    """
    above, tied = np.zeros((2, len(plan.queries)), np.int64)
    for block in blocks_of_plan(plan, queries, references):
        checked = check_pool(block.queries, block.references, block.match)
        above[block.rows], tied[block.rows] = count_rivals(*checked, block.pools)
    query_fields = plan.fields.iloc[plan.queries]
    return pd.DataFrame(
        {
            "query": query_fields["field_id"].to_numpy(),
            "match": query_fields["label"].to_numpy(),
            "compound": query_fields["inchikey"].to_numpy(),
            "candidates": plan.sizes(),
            "rank": resolve_ties(above, tied, ties, seed),
        }
    )


class PlanBlock(NamedTuple):
    """Some queries of a plan and all references that one of them may have.

    Attributes
    ----------
    rows
        (B,) positions of the queries in ``plan.queries``.
    queries, references
        (B, d) and (M, d) vectors.
    match
        (B,) row of ``references`` that represents the query's class.
    pools
        Which references each query has.
    """

    rows: np.ndarray
    queries: np.ndarray
    references: np.ndarray
    match: np.ndarray
    pools: Pools


def blocks_of_plan(plan: Plan, queries: np.ndarray, references: np.ndarray) -> Iterator[PlanBlock]:
    """Yield the queries of a plan with their references, block by block. The parameters are those of `rank_by_plan`."""
    for name, vectors in (("queries", queries), ("references", references)):
        if vectors.ndim != 2 or len(vectors) != len(plan.order):
            raise ValueError(f"{name}: vectors of shape {vectors.shape} do not fit {len(plan.order)} planned fields")
    sums = _group_sums(plan, references) if plan.shown_by == "mean" else None
    by_pool = np.argsort(plan.pool, kind="stable")
    for start in range(0, len(plan.pools), _POOLS):
        numbers, members = _members(plan, start, min(start + _POOLS, len(plan.pools)))
        bounds = np.searchsorted(plan.pool[by_pool], [start, start + len(members)])
        part = by_pool[slice(*bounds)]
        yield PlanBlock(
            part,
            queries[plan.order[plan.queries[part]]],
            _reference_vectors(plan, numbers, references, sums),
            np.searchsorted(numbers, plan.match[part]),
            Pools(plan.pool[part] - start, members),
        )


def _members(plan: Plan, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Collect the references of some pools.

    Returns
    -------
    numbers : numpy.ndarray
        (M,) int64: references that are in any of the pools, sorted.
    members : numpy.ndarray
        (stop - start, M) bool: whether a pool has a reference.
    """
    pools = plan.pools[start:stop]
    usual = [np.arange(first, last) for first, last in {(first, last) for first, last, _ in pools}]
    replacements = [[reference for reference in replaced.values() if reference >= 0] for *_, replaced in pools]
    numbers = np.unique(np.concatenate([*usual, *map(np.array, filter(None, replacements))])).astype(np.int64)
    members = np.zeros((len(pools), len(numbers)), bool)
    for row, (first, last, replaced), added in zip(members, pools, replacements, strict=True):
        row[np.searchsorted(numbers, first) :][: last - first] = True
        row[np.searchsorted(numbers, list(replaced))] = False
        row[np.searchsorted(numbers, added)] = True
    return numbers, members


def _group_sums(plan: Plan, vectors: np.ndarray) -> np.ndarray:
    """Sum of the vectors of each group: (S, d) float64."""
    if not len(plan.grouped_rows):
        return np.zeros((0, vectors.shape[1]))
    return np.add.reduceat(vectors[plan.order[plan.grouped_rows]], plan.group_starts[:-1], axis=0, dtype=np.float64)


def _reference_vectors(plan: Plan, numbers: np.ndarray, vectors: np.ndarray, sums: np.ndarray | None) -> np.ndarray:
    """Vectors of the references with the given numbers: (len(numbers), d).

    Without ``sums``, the sums of vectors of each group, references are fields.
    """
    n_groups = len(plan.group_starts) - 1
    usual = numbers[numbers < n_groups]
    replacements = [plan.replacements[i] for i in numbers[numbers >= n_groups] - n_groups]
    if sums is None:
        first_rows = plan.grouped_rows[plan.group_starts[usual]]
        rows = np.concatenate([first_rows, [rows[0] for _, rows in replacements]]).astype(np.int64)
        return vectors[plan.order[rows]]
    means = sums[np.concatenate([usual, [group for group, _ in replacements]]).astype(np.int64)]
    if replacements:
        left_out = np.concatenate([rows for _, rows in replacements]).astype(np.int64)
        starts = np.concatenate([[0], np.cumsum([len(rows) for _, rows in replacements])])[:-1]
        means[len(usual) :] -= np.add.reduceat(vectors[plan.order[left_out]], starts, axis=0, dtype=np.float64)
    # In float32, equal means tie although their vectors were summed in another order.
    return unit_rows(means).astype(np.float32)

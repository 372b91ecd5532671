"""Zero-shot classification, image to image: which class (compound, mechanism) does a field show.

Every class has a reference, and a query field is ranked against the references of all classes, by protocols that differ
in which references a query may have (:mod:`~cloome_kedro.evaluation.zero_shot_plan`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.ranks import Pools, Ties, check_pool, count_rivals, resolve_ties
from cloome_kedro.evaluation.zero_shot_plan import Plan, Pool, ShownBy, plan_zero_shot

_POOLS = 1024  # ranked at a time


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
    """Rank the class of every query field among all classes: :func:`plan_zero_shot`, then :func:`rank_by_plan`."""
    plan = plan_zero_shot(fields, excluded, shown_by, pool, seed, draw, where_possible)
    return rank_by_plan(plan, queries, references, ties, seed)


def rank_by_plan(
    plan: Plan, queries: np.ndarray, references: np.ndarray, ties: Ties = "pessimistic", seed: int = 0
) -> pd.DataFrame:
    """Rank the class of every query of a plan by the dot product with its reference.

    Parameters
    ----------
    plan
        Of the fields that the vectors are of.
    queries, references
        (N, d) vectors, L2-normalised, in the order of the fields that were planned with: of fields as queries and as
        references, the same unless one of them is corrupted.
    ties, seed
        As in :func:`~cloome_kedro.evaluation.ranks.match_ranks`.

    Returns
    -------
    pd.DataFrame
        One row a query, sorted by field_id: query (field_id), match (class), compound (InChIKey of the query),
        candidates (number of classes it was ranked among), rank.

    Raises
    ------
    ValueError
        If the vectors do not fit the plan, or one is not finite.
    """
    for name, vectors in (("queries", queries), ("references", references)):
        if vectors.ndim != 2 or len(vectors) != len(plan.order):
            raise ValueError(f"{name}: vectors of shape {vectors.shape} do not fit {len(plan.order)} planned fields")
    sums = _shelf_sums(plan, references) if plan.shown_by == "mean" else None
    above, tied = np.zeros((2, len(plan.queries)), np.int64)
    by_pool = np.argsort(plan.pool, kind="stable")
    for start in range(0, len(plan.pools), _POOLS):
        chosen, members = _members(plan, start, min(start + _POOLS, len(plan.pools)))
        bounds = np.searchsorted(plan.pool[by_pool], [start, start + len(members)])
        part = by_pool[slice(*bounds)]
        asked = check_pool(
            queries[plan.order[plan.queries[part]]],
            _reference_vectors(plan, chosen, references, sums),
            np.searchsorted(chosen, plan.match[part]),
        )
        above[part], tied[part] = count_rivals(*asked, Pools(plan.pool[part] - start, members))
    of_queries = plan.fields.iloc[plan.queries]
    return pd.DataFrame(
        {
            "query": of_queries["field_id"].to_numpy(),
            "match": of_queries["label"].to_numpy(),
            "compound": of_queries["inchikey"].to_numpy(),
            "candidates": plan.sizes(),
            "rank": resolve_ties(above, tied, ties, seed),
        }
    )


def _members(plan: Plan, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """References of some pools, sorted, and which pool has which: (M,) int64, (stop - start, M) bool."""
    pools = plan.pools[start:stop]
    shelves = [np.arange(first, last) for first, last in {(first, last) for first, last, _ in pools}]
    replaced = [[reference for reference in changes.values() if reference >= 0] for *_, changes in pools]
    chosen = np.unique(np.concatenate([*shelves, *map(np.array, filter(None, replaced))])).astype(np.int64)
    members = np.zeros((len(pools), len(chosen)), bool)
    for row, (first, last, changes), added in zip(members, pools, replaced, strict=True):
        row[np.searchsorted(chosen, first) :][: last - first] = True
        row[np.searchsorted(chosen, list(changes))] = False
        row[np.searchsorted(chosen, added)] = True
    return chosen, members


def _shelf_sums(plan: Plan, vectors: np.ndarray) -> np.ndarray:
    """Sum of the vectors of each shelf: (S, d) float64."""
    if not len(plan.shelves):
        return np.zeros((0, vectors.shape[1]))
    return np.add.reduceat(vectors[plan.order[plan.shelves]], plan.starts[:-1], axis=0, dtype=np.float64)


def _reference_vectors(plan: Plan, chosen: np.ndarray, vectors: np.ndarray, sums: np.ndarray | None) -> np.ndarray:
    """Vectors of references, given by number: (len(chosen), d)."""
    shelves = len(plan.starts) - 1
    usual, others = chosen[chosen < shelves], [plan.replacements[i] for i in chosen[chosen >= shelves] - shelves]
    if sums is None:
        rows = np.concatenate([plan.shelves[plan.starts[usual]], [rows[0] for _, rows in others]]).astype(np.int64)
        return vectors[plan.order[rows]]
    means = sums[np.concatenate([usual, [shelf for shelf, _ in others]]).astype(np.int64)]
    if others:
        left_out = np.concatenate([rows for _, rows in others]).astype(np.int64)
        begins = np.concatenate([[0], np.cumsum([len(rows) for _, rows in others])])[:-1]
        means[len(usual) :] -= np.add.reduceat(vectors[plan.order[left_out]], begins, axis=0, dtype=np.float64)
    # In float32, equal means tie though their vectors were summed in another order.
    return unit_rows(means).astype(np.float32)

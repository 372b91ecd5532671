"""The rank of each query's match among the candidates, exactly, in bounded memory.

Scores are dot products: cosines where rows are L2-normalised. Blocks of scores are screened in float32 by a matrix
multiplication; whatever float32 cannot tell from the match's score, by the standard error bound of a dot product, is
decided on float64 scores summed pair by pair in one fixed order. So a rank depends on no block size, thread count or
BLAS, and candidates with equal vectors tie exactly. Where embeddings have collapsed and float32 tells little, equal
vectors are recognised as such and a float64 matrix product screens again, so that few pairs are summed one by one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Ties = Literal["pessimistic", "optimistic", "expected", "random"]

_QUERY_BLOCK, _CANDIDATE_BLOCK = 512, 4096  # a block of scores is 8 MiB
_PAIR_VALUES = 1 << 20  # float64 values gathered at a time: 8 MiB
_OPEN_PAIRS = 8  # a query in a block, on average, from which on a float64 product is the quicker way to decide them


@dataclass(frozen=True)
class Pools:
    """Which candidates a query is ranked among.

    Attributes
    ----------
    of_query
        (N,) int, the row of ``members`` that is the query's pool.
    members
        (S, M) bool, whether a candidate is in a pool.
    """

    of_query: np.ndarray
    members: np.ndarray


def match_ranks(
    queries: ArrayLike,
    candidates: ArrayLike,
    match: ArrayLike,
    ties: Ties = "pessimistic",
    seed: int = 0,
    allowed: Pools | None = None,
) -> np.ndarray:
    """Rank each query's match among all candidates, or those of its pool, by descending dot product.

    Parameters
    ----------
    queries
        (N, d) vectors.
    candidates
        (M, d) vectors.
    match
        (N,) int, the row of ``candidates`` that is the query's match.
    ties
        What candidates with the match's score do to its rank: all come before it (``pessimistic``), all after it
        (``optimistic``), half of them before it (``expected``), or a number drawn uniformly (``random``).
    seed
        Of ``ties="random"``.
    allowed
        Where given, each query's pool: other candidates do not count.

    Returns
    -------
    np.ndarray
        (N,) ranks, 1 = best: int64, or float64 for ``expected``.

    Raises
    ------
    ValueError
        If shapes do not fit, a match is no candidate or not in its query's pool, or a vector is not finite.

    Notes
    -----
    Time is that of a matrix product, in float64 where embeddings have collapsed; memory does not grow with N x M.
    """
    queries, candidates, match = check_pool(queries, candidates, match)
    if allowed is not None:
        _check_allowed(allowed, match, len(candidates))
    return resolve_ties(*count_rivals(queries, candidates, match, allowed), ties, seed)


def top_k(ranks: ArrayLike, ks: ArrayLike) -> np.ndarray:
    """Share of ranks of at most k, for each k: float64 of the shape of ``ks``.

    Raises
    ------
    ValueError
        If there are no ranks.
    """
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or not len(ranks):
        raise ValueError(f"top_k: ranks must be a non-empty vector, not of shape {ranks.shape}")
    return (ranks <= np.asarray(ks)[..., None]).mean(axis=-1)


def check_pool(
    queries: ArrayLike, candidates: ArrayLike, match: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As arrays whose shapes fit and whose matches are candidates; raises ValueError otherwise."""
    queries, candidates, match = np.asarray(queries), np.asarray(candidates), np.asarray(match)
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise ValueError(f"queries {queries.shape} and candidates {candidates.shape} must be (N, d) and (M, d)")
    if match.shape != (len(queries),) or (match.size and match.dtype.kind not in "iu"):
        raise ValueError(
            f"match must be {len(queries)} integers, one a query, not {match.dtype} of shape {match.shape}"
        )
    if (wrong := np.flatnonzero((match < 0) | (match >= len(candidates)))).size:
        query = wrong[0]
        raise ValueError(f"match of query {query} is {match[query]}, but there are {len(candidates)} candidates")
    for name, vectors in (("queries", queries), ("candidates", candidates)):
        for start in range(0, len(vectors), _CANDIDATE_BLOCK):
            finite = np.isfinite(vectors[start : start + _CANDIDATE_BLOCK]).all(axis=1)
            if not finite.all():
                raise ValueError(f"{name}: row {start + int(np.argmin(finite))} is not finite")
    return queries, candidates, match.astype(np.int64)


def _check_allowed(allowed: Pools, match: np.ndarray, candidates: int) -> None:
    of_query, members = allowed.of_query, allowed.members
    if members.ndim != 2 or members.dtype != np.bool_ or members.shape[1] != candidates:
        raise ValueError(f"allowed.members must be bool (pools, {candidates}), not {members.dtype} {members.shape}")
    if of_query.shape != match.shape or of_query.dtype.kind not in "iu":
        raise ValueError(f"allowed.of_query must be {len(match)} integers, not {of_query.dtype} {of_query.shape}")
    if (wrong := np.flatnonzero((of_query < 0) | (of_query >= len(members)))).size:
        raise ValueError(f"allowed: query {wrong[0]} has pool {of_query[wrong[0]]}, but there are {len(members)}")
    if not (inside := members[of_query, match]).all():
        raise ValueError(f"allowed: the match of query {int(np.argmin(inside))} is not in the query's pool")


def resolve_ties(above: np.ndarray, tied: np.ndarray, ties: Ties, seed: int = 0) -> np.ndarray:
    """Ranks from how many candidates score above the match and how many others score the same, (N,) each."""
    if ties == "pessimistic":
        return 1 + above + tied
    if ties == "optimistic":
        return 1 + above
    if ties == "expected":
        return 1 + above + tied / 2
    if ties == "random":
        return 1 + above + np.random.default_rng([seed, 1]).integers(0, tied, endpoint=True)
    raise ValueError(f"ties: {ties!r} is none of pessimistic, optimistic, expected, random")


def pair_scores(queries: np.ndarray, candidates: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Dot products of ``queries[rows]`` and ``candidates[columns]``, one a pair: (len(rows),) float64.

    A pair's score depends on its two vectors alone (each row is summed on its own), so equal vectors give equal scores.
    """
    scores = np.empty(len(rows))
    step = max(1, _PAIR_VALUES // max(1, queries.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # C order: the sum then runs over each contiguous row by itself.
        products = np.multiply(queries[rows[part]], candidates[columns[part]], dtype=np.float64, order="C")
        scores[part] = products.sum(axis=1)
    return scores


def count_rivals(
    queries: np.ndarray, candidates: np.ndarray, match: np.ndarray, allowed: Pools | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How many candidates score above each query's match, and how many others score the same: (N,) int64 each.

    Parameters are those of `match_ranks`, after `check_pool`; `resolve_ties` makes ranks of the result.
    """
    n, size = queries.shape
    own = pair_scores(queries, candidates, np.arange(n), match)
    above, tied = np.zeros(n, np.int64), np.full(n, -1, np.int64)  # the match ties with itself
    screened = queries.astype(np.float32, copy=False)
    query_norms = _norms(screened)
    all_scores = np.empty(_QUERY_BLOCK * _CANDIDATE_BLOCK, np.float32)
    all_flags = np.empty(_QUERY_BLOCK * _CANDIDATE_BLOCK, np.bool_)
    classes: np.ndarray | None = None

    for left in range(0, len(candidates), _CANDIDATE_BLOCK):
        columns = slice(left, min(left + _CANDIDATE_BLOCK, len(candidates)))
        block = candidates[columns].astype(np.float32, copy=False)
        candidate_norm = _norms(block).max()
        slack = _slack(query_norms, candidate_norm, size, np.float32)
        low, high = (own - slack).astype(np.float32), (own + slack).astype(np.float32)
        for top in range(0, n, _QUERY_BLOCK):
            rows = np.arange(top, min(top + _QUERY_BLOCK, n))
            shape = len(rows), len(block)
            scores = np.matmul(
                screened[top : top + _QUERY_BLOCK], block.T, out=all_scores[: shape[0] * shape[1]].reshape(shape)
            )
            maybe = np.greater_equal(scores, low[rows, None], out=all_flags[: shape[0] * shape[1]].reshape(shape))
            # Mostly the match is above nearly all others: rows without a rival are done.
            if 2 * np.count_nonzero(rivalled := _count_rows(maybe) > 0) < len(rows):
                rows, scores, maybe = rows[rivalled], scores[rivalled], maybe[rivalled]
                if not len(rows):
                    continue
            surely = scores > high[rows, None]
            if allowed is not None:
                members = allowed.members[allowed.of_query[rows], columns]
                maybe &= members
                surely &= members
            n_surely = _count_rows(surely)
            above[rows] += n_surely
            undecided = _count_rows(maybe) > n_surely
            rows, maybe = rows[undecided], maybe[undecided] ^ surely[undecided]
            if np.count_nonzero(maybe) > _OPEN_PAIRS * len(rows):
                classes = _equal_rows(candidates) if classes is None else classes
                equal = maybe & (classes[None, columns] == classes[match[rows], None])
                tied[rows] += np.count_nonzero(equal, axis=1)
                maybe &= ~equal
            if np.count_nonzero(maybe) > _OPEN_PAIRS * len(rows):
                in_full = candidates[columns].astype(np.float64)
                precise = np.matmul(queries[rows].astype(np.float64), in_full.T)
                # Both this product and the sum that decides are off by at most the bound.
                off = 2 * _slack(query_norms[rows], candidate_norm, size, np.float64)
                surely = maybe & (precise > (own[rows] + off)[:, None])
                above[rows] += np.count_nonzero(surely, axis=1)
                maybe &= ~surely & (precise >= (own[rows] - off)[:, None])
            row, column = np.divmod(np.flatnonzero(maybe), len(block))  # ten times as fast as nonzero of a matrix
            row = rows[row]
            exact = pair_scores(queries, candidates, row, left + column)
            above += np.bincount(row[exact > own[row]], minlength=n)
            tied += np.bincount(row[exact == own[row]], minlength=n)
    return above, tied


def _count_rows(flags: np.ndarray) -> np.ndarray:
    """How many of each row are true, for rows of a block: faster than ``count_nonzero`` with an axis."""
    return flags.view(np.uint8).sum(axis=1, dtype=np.uint16)


def _equal_rows(vectors: np.ndarray) -> np.ndarray:
    """The same number for rows that are equal, (N,) int64; rows with one number are always equal."""
    n, size = vectors.shape
    direction = np.cos(np.arange(size))[None]
    projection = pair_scores(vectors, direction, np.arange(n), np.zeros(n, np.int64))
    _, first, classes = np.unique(projection, return_index=True, return_inverse=True)
    for start in range(0, n, _CANDIDATE_BLOCK):
        part = slice(start, start + _CANDIDATE_BLOCK)
        alike = (vectors[part] == vectors[first[classes[part]]]).all(axis=1)
        # Different rows that project alike are told apart from all others.
        classes[part] = np.where(alike, classes[part], -1 - np.arange(start, start + len(alike)))
    return classes


def _norms(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _slack(query_norms: np.ndarray, candidate_norm: float, size: int, dtype: type) -> np.ndarray:
    """Bound on what rounding to a type does to a score, in any order of summation: (N,) float64.

    ``size`` roundings of a dot product (Higham, Accuracy and Stability of Numerical Algorithms, 2002, eq. 3.5), a few
    more for casting vectors and bounds, and what underflow can take.
    """
    bound = query_norms * candidate_norm
    if len(bound) and not bound.max() < 1e38:
        raise ValueError("vectors are too long for float32 dot products: scale them")
    unit_roundoff, tiny = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).tiny)
    return 1.01 * (size + 8) * unit_roundoff * bound + size * tiny * (1 + query_norms + candidate_norm)

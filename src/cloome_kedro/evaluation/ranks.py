"""The rank of each query's match among the candidates, exact and in bounded memory.

Scores are dot products: cosines if rows are L2-normalised.

1. A matrix multiplication in float32 gives the scores of a block. Candidates that are above or below the match by more
   than the standard error bound of a dot product are decided.
2. For the others, scores are summed in float64, pair by pair and in one fixed order.

So ranks do not depend on block sizes, threads or the BLAS library, and candidates with equal vectors tie exactly. Where
embeddings have collapsed, float32 decides little. Candidates with the vector of the match are then counted as ties, and
a matrix multiplication in float64 decides most of the others, so that few pairs are summed one by one. Where there are
few distinct vectors, such as one per plate, each pair of distinct vectors is summed once.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.pair_scores import DistinctScores, distinct_scores, number_vectors, pair_scores

Ties = Literal["pessimistic", "optimistic", "expected", "random"]

_QUERY_BLOCK, _CANDIDATE_BLOCK = 512, 4096  # a block of scores has 8 MiB
_OPEN_PAIRS = 8  # if more pairs per query of a block are undecided, a float64 product is faster than summing them


@dataclass(frozen=True)
class Pools:
    """The candidates that each query is ranked among.

    Attributes
    ----------
    of_query
        (N,) int: row of ``members`` that is the query's pool.
    members
        (S, M) bool: whether a candidate is in a pool.
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
    """Rank each query's match by descending dot product, among all candidates or those of the query's pool.

    Parameters
    ----------
    queries
        (N, d) vectors.
    candidates
        (M, d) vectors.
    match
        (N,) int: row of ``candidates`` that is the query's match.
    ties
        How many of the candidates with the score of the match are ranked before it: all (``pessimistic``), none
        (``optimistic``), half of them (``expected``), or a number that is drawn uniformly (``random``).
    seed
        Seed of random ties.
    allowed
        Pool of each query. Candidates outside it do not count. None: all candidates are in all pools.

    Returns
    -------
    numpy.ndarray
        (N,) ranks, 1 is best: int64, or float64 for ``expected``.

    Raises
    ------
    ValueError
        If shapes do not fit, a match is not a candidate or not in its query's pool, or a vector is not finite.

    Notes
    -----
    The function takes about as long as a matrix product, in float64 if embeddings have collapsed. Its memory does not
    grow with N x M.

    Examples
    --------
    >>> candidates = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.6, 0.8]])
    >>> match_ranks([[1.0, 0.0], [1.0, 0.0]], candidates, [0, 1])
    array([1, 3])
    >>> match_ranks([[1.0, 0.0], [1.0, 0.0]], candidates, [0, 1], ties="optimistic")
    array([1, 2])
    """
    queries, candidates, match = check_pool(queries, candidates, match)
    if allowed is not None:
        _check_allowed(allowed, match, len(candidates))
    return resolve_ties(*count_rivals(queries, candidates, match, allowed), ties, seed)


def top_k(ranks: ArrayLike, ks: ArrayLike) -> np.ndarray:
    """Share of ranks that are at most k, for each k: float64 with the shape of ``ks``.

    Raises
    ------
    ValueError
        If there are no ranks.

    Examples
    --------
    >>> top_k([1, 3, 7, 2], [1, 5])
    array([0.25, 0.75])
    """
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or not len(ranks):
        raise ValueError(f"top_k: ranks must be a non-empty vector, not of shape {ranks.shape}")
    return (ranks <= np.asarray(ks)[..., None]).mean(axis=-1)


def check_pool(
    queries: ArrayLike, candidates: ArrayLike, match: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check queries, candidates and matches, and return them as arrays.

    Raises
    ------
    ValueError
        If shapes do not fit, a match is not a candidate, or a vector is not finite.
    """
    queries, candidates, match = np.asarray(queries), np.asarray(candidates), np.asarray(match)
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise ValueError(f"queries {queries.shape} and candidates {candidates.shape} must be (N, d) and (M, d)")
    if match.shape != (len(queries),) or (match.size and match.dtype.kind not in "iu"):
        raise ValueError(
            f"match must be {len(queries)} integers, one per query, not {match.dtype} of shape {match.shape}"
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


def _check_allowed(allowed: Pools, match: np.ndarray, n_candidates: int) -> None:
    of_query, members = allowed.of_query, allowed.members
    if members.ndim != 2 or members.dtype != np.bool_ or members.shape[1] != n_candidates:
        raise ValueError(f"allowed.members must be bool (pools, {n_candidates}), not {members.dtype} {members.shape}")
    if of_query.shape != match.shape or of_query.dtype.kind not in "iu":
        raise ValueError(f"allowed.of_query must be {len(match)} integers, not {of_query.dtype} {of_query.shape}")
    if (wrong := np.flatnonzero((of_query < 0) | (of_query >= len(members)))).size:
        raise ValueError(f"allowed: query {wrong[0]} has pool {of_query[wrong[0]]}, but there are {len(members)} pools")
    if not (inside := members[of_query, match]).all():
        raise ValueError(f"allowed: the match of query {int(np.argmin(inside))} is not in the query's pool")


def resolve_ties(above: np.ndarray, tied: np.ndarray, ties: Ties, seed: int = 0) -> np.ndarray:
    """Make ranks from numbers of candidates.

    Parameters
    ----------
    above
        (N,) number of candidates that score above the match.
    tied
        (N,) number of other candidates with the score of the match.
    ties, seed
        As in :func:`match_ranks`.
    """
    if ties == "pessimistic":
        return 1 + above + tied
    if ties == "optimistic":
        return 1 + above
    if ties == "expected":
        return 1 + above + tied / 2
    if ties == "random":
        return 1 + above + np.random.default_rng([seed, 1]).integers(0, tied, endpoint=True)
    raise ValueError(f"ties: {ties!r} must be pessimistic, optimistic, expected or random")


def count_rivals(
    queries: np.ndarray, candidates: np.ndarray, match: np.ndarray, allowed: Pools | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Count the candidates that score above each query's match, and the others that tie with it: (N,) int64 each.

    Parameters are those of :func:`match_ranks`, after :func:`check_pool`. :func:`resolve_ties` makes ranks of the
    result.
    """
    n, size = queries.shape
    match_scores = pair_scores(queries, candidates, np.arange(n), match)
    above, tied = np.zeros(n, np.int64), np.full(n, -1, np.int64)  # -1, since the match will tie with itself
    queries32 = queries.astype(np.float32, copy=False)
    query_norms = _norms(queries32)
    score_buffer = np.empty(_QUERY_BLOCK * _CANDIDATE_BLOCK, np.float32)
    flag_buffer = np.empty(_QUERY_BLOCK * _CANDIDATE_BLOCK, np.bool_)
    distinct: DistinctScores | None = None
    vector_numbers: np.ndarray | None = None

    for left in range(0, len(candidates), _CANDIDATE_BLOCK):
        columns = slice(left, min(left + _CANDIDATE_BLOCK, len(candidates)))
        block = candidates[columns].astype(np.float32, copy=False)
        largest_norm = _norms(block).max()
        error = _error_bound(query_norms, largest_norm, size, np.float32)
        low, high = (match_scores - error).astype(np.float32), (match_scores + error).astype(np.float32)
        for top in range(0, n, _QUERY_BLOCK):
            rows = np.arange(top, min(top + _QUERY_BLOCK, n))
            shape = len(rows), len(block)
            scores = np.matmul(
                queries32[top : top + _QUERY_BLOCK], block.T, out=score_buffer[: shape[0] * shape[1]].reshape(shape)
            )
            possible = np.greater_equal(scores, low[rows, None], out=flag_buffer[: shape[0] * shape[1]].reshape(shape))
            # Most queries usually have no rival in the block: go on with the others only.
            if 2 * np.count_nonzero(has_rival := _count_rows(possible) > 0) < len(rows):
                rows, scores, possible = rows[has_rival], scores[has_rival], possible[has_rival]
                if not len(rows):
                    continue
            higher = scores > high[rows, None]
            if allowed is not None:
                in_pool = allowed.members[allowed.of_query[rows], columns]
                possible &= in_pool
                higher &= in_pool
            n_higher = _count_rows(higher)
            above[rows] += n_higher
            has_open = _count_rows(possible) > n_higher
            rows, undecided = rows[has_open], possible[has_open] ^ higher[has_open]
            many_open = np.count_nonzero(undecided) > _OPEN_PAIRS * len(rows)
            if many_open and vector_numbers is None:
                vector_numbers = number_vectors(candidates)
                distinct = distinct_scores(queries, candidates, vector_numbers)
            if many_open and distinct is not None:
                exact = distinct.of(rows, columns)
                above[rows] += np.count_nonzero(undecided & (exact > match_scores[rows, None]), axis=1)
                tied[rows] += np.count_nonzero(undecided & (exact == match_scores[rows, None]), axis=1)
                continue
            if many_open and vector_numbers is not None:
                equal = undecided & (vector_numbers[None, columns] == vector_numbers[match[rows], None])
                tied[rows] += np.count_nonzero(equal, axis=1)
                undecided &= ~equal
            if np.count_nonzero(undecided) > _OPEN_PAIRS * len(rows):
                scores64 = np.matmul(queries[rows].astype(np.float64), candidates[columns].astype(np.float64).T)
                # Twice the bound: this product and the pairwise sum both have an error.
                error64 = 2 * _error_bound(query_norms[rows], largest_norm, size, np.float64)
                higher = undecided & (scores64 > (match_scores[rows] + error64)[:, None])
                above[rows] += np.count_nonzero(higher, axis=1)
                undecided &= ~higher & (scores64 >= (match_scores[rows] - error64)[:, None])
            # flatnonzero is ten times as fast as nonzero of a matrix.
            row, column = np.divmod(np.flatnonzero(undecided), len(block))
            row = rows[row]
            exact = pair_scores(queries, candidates, row, left + column)
            above += np.bincount(row[exact > match_scores[row]], minlength=n)
            tied += np.bincount(row[exact == match_scores[row]], minlength=n)
    return above, tied


def _count_rows(flags: np.ndarray) -> np.ndarray:
    """Count the true values of each row of a block. This is faster than ``count_nonzero`` with an axis."""
    return flags.view(np.uint8).sum(axis=1, dtype=np.uint16)


def _norms(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _error_bound(query_norms: np.ndarray, candidate_norm: float, size: int, dtype: type) -> np.ndarray:
    """Bound of the rounding error of a score in a type, for any order of summation: (N,) float64.

    It covers the ``size`` roundings of a dot product (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
    eq. 3.5), a few more for casting vectors and bounds, and underflow.
    """
    bound = query_norms * candidate_norm
    if len(bound) and not bound.max() < 1e38:
        raise ValueError("vectors are too long for float32 dot products: scale them")
    unit_roundoff, tiny = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).tiny)
    return 1.01 * (size + 8) * unit_roundoff * bound + size * tiny * (1 + query_norms + candidate_norm)

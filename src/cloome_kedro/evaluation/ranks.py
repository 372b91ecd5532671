"""The rank of each query's match among the candidates, exactly, in bounded memory.

Scores are dot products: cosines where rows are L2-normalised. Blocks of scores are screened in float32 by a matrix
multiplication; whatever float32 cannot tell from the match's score, by the standard error bound of a dot product, is
decided on float64 scores summed pair by pair in one fixed order. So a rank depends on no block size, thread count or
BLAS, and candidates with equal vectors tie exactly. Where embeddings have collapsed and float32 tells little, equal
vectors are recognised as such and a float64 matrix product screens again, so that few pairs are summed one by one.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Ties = Literal["pessimistic", "optimistic", "expected", "random"]

_QUERY_BLOCK, _CANDIDATE_BLOCK = 512, 4096  # a block of scores is 8 MiB
_PAIR_VALUES = 1 << 20  # float64 values gathered at a time: 8 MiB
_OPEN_PAIRS = 8  # a query in a block, on average, from which on a float64 product is the quicker way to decide them


def match_ranks(
    queries: ArrayLike, candidates: ArrayLike, match: ArrayLike, ties: Ties = "pessimistic", seed: int = 0
) -> np.ndarray:
    """Rank each query's match among all candidates by descending dot product.

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

    Returns
    -------
    np.ndarray
        (N,) ranks, 1 = best: int64, or float64 for ``expected``.

    Raises
    ------
    ValueError
        If shapes do not fit, a match is no candidate, or a vector is not finite.

    Notes
    -----
    Time is that of a matrix product, in float64 where embeddings have collapsed; memory does not grow with N x M.
    """
    queries, candidates, match = check_pool(queries, candidates, match)
    return resolve_ties(*_count(queries, candidates, match), ties, seed)


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


def _count(queries: np.ndarray, candidates: np.ndarray, match: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many candidates score above each query's match, and how many others score the same: (N,) int64 each."""
    n, size = queries.shape
    own = pair_scores(queries, candidates, np.arange(n), match)
    above, tied = np.zeros(n, np.int64), np.full(n, -1, np.int64)  # the match ties with itself
    screened = queries.astype(np.float32, copy=False)
    query_norms = _norms(screened)
    buffer = np.empty(_QUERY_BLOCK * _CANDIDATE_BLOCK, np.float32)
    classes: np.ndarray | None = None

    for left in range(0, len(candidates), _CANDIDATE_BLOCK):
        block = candidates[left : left + _CANDIDATE_BLOCK].astype(np.float32, copy=False)
        candidate_norm = _norms(block).max()
        slack = _slack(query_norms, candidate_norm, size, np.float32)
        low, high = (own - slack).astype(np.float32), (own + slack).astype(np.float32)
        for top in range(0, n, _QUERY_BLOCK):
            rows = slice(top, min(top + _QUERY_BLOCK, n))
            shape = rows.stop - top, len(block)
            scores = np.matmul(screened[rows], block.T, out=buffer[: shape[0] * shape[1]].reshape(shape))
            surely, maybe = scores > high[rows, None], scores >= low[rows, None]
            n_surely = np.count_nonzero(surely, axis=1)
            above[rows] += n_surely
            open_rows = np.flatnonzero(np.count_nonzero(maybe, axis=1) > n_surely)
            if not len(open_rows):
                continue
            maybe = maybe[open_rows] & ~surely[open_rows]
            open_rows += top
            if np.count_nonzero(maybe) > _OPEN_PAIRS * len(open_rows):
                classes = _equal_rows(candidates) if classes is None else classes
                equal = maybe & (classes[None, left : left + len(block)] == classes[match[open_rows], None])
                tied[open_rows] += np.count_nonzero(equal, axis=1)
                maybe &= ~equal
            if np.count_nonzero(maybe) > _OPEN_PAIRS * len(open_rows):
                in_full = candidates[left : left + len(block)].astype(np.float64)
                scores = np.matmul(queries[open_rows].astype(np.float64), in_full.T)
                # Both this product and the sum that decides are off by at most the bound.
                slack = 2 * _slack(query_norms[open_rows], candidate_norm, size, np.float64)
                surely = maybe & (scores > (own[open_rows] + slack)[:, None])
                above[open_rows] += np.count_nonzero(surely, axis=1)
                maybe &= ~surely & (scores >= (own[open_rows] - slack)[:, None])
            row, column = np.nonzero(maybe)
            row = open_rows[row]
            exact = pair_scores(queries, candidates, row, left + column)
            above += np.bincount(row[exact > own[row]], minlength=n)
            tied += np.bincount(row[exact == own[row]], minlength=n)
    return above, tied


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

"""Exact dot products of pairs of vectors, and of the distinct vectors among many equal ones."""

from dataclasses import dataclass

import numpy as np

_PAIR_VALUES = 1 << 20  # float64 values of pairs held in memory at a time: 8 MiB
_BLOCK = 4096  # rows that are compared at a time
_MOST_SCORES = 1 << 22  # a table of scores has at most 32 MiB
_FEWER = 16  # a table is made if it has this many times fewer scores than there are pairs


def pair_scores(queries: np.ndarray, candidates: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Dot products of ``queries[rows]`` and ``candidates[columns]``, one per pair: (len(rows),) float64.

    The score of a pair depends only on its two vectors, so equal vectors have equal scores.
    """
    scores = np.empty(len(rows))
    step = max(1, _PAIR_VALUES // max(1, queries.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # In C order each row is contiguous and is summed by itself.
        products = np.multiply(queries[rows[part]], candidates[columns[part]], dtype=np.float64, order="C")
        scores[part] = products.sum(axis=1)
    return scores


@dataclass(frozen=True)
class DistinctScores:
    """Scores of each distinct query with each distinct candidate.

    Attributes
    ----------
    of_query, of_candidate
        (N,) and (M,) int64: row and column of ``scores`` for each query and each candidate.
    scores
        (U, V) float64, from :func:`pair_scores`.
    """

    of_query: np.ndarray
    of_candidate: np.ndarray
    scores: np.ndarray

    def of(self, rows: np.ndarray, columns: slice) -> np.ndarray:
        """Scores of some queries with some candidates: (len(rows), number of columns) float64."""
        return self.scores[self.of_query[rows][:, None], self.of_candidate[columns]]


def distinct_scores(
    queries: np.ndarray, candidates: np.ndarray, candidate_numbers: np.ndarray
) -> DistinctScores | None:
    """Score each distinct query (of N, d) with each distinct candidate (of M, d), if there are few of them.

    Parameters
    ----------
    queries, candidates
        Vectors.
    candidate_numbers
        (M,) from :func:`number_vectors`.

    Returns
    -------
    DistinctScores or None
        None if the table of scores would not be far smaller than all N x M scores.

    Examples
    --------
    >>> plates = np.eye(2)[np.arange(64) % 2]
    >>> distinct_scores(plates, plates, number_vectors(plates)).scores
    array([[1., 0.],
           [0., 1.]])
    """
    _, first, of_candidate = np.unique(candidate_numbers, return_index=True, return_inverse=True)
    most = min(_MOST_SCORES, len(queries) * len(candidates) // _FEWER)
    if len(first) > most:
        return None
    _, first_query, of_query = np.unique(number_vectors(queries), return_index=True, return_inverse=True)
    shape = len(first_query), len(first)
    if shape[0] * shape[1] > most:
        return None
    rows, columns = np.indices(shape).reshape(2, -1)
    scores = pair_scores(queries, candidates, first_query[rows], first[columns])
    return DistinctScores(of_query, of_candidate, scores.reshape(shape))


def number_vectors(vectors: np.ndarray) -> np.ndarray:
    """Number the rows of vectors (N, d) so that rows with the same number are equal: (N,) int64.

    Equal rows have different numbers only if a different row has the same projection.
    """
    n, size = vectors.shape
    direction = np.cos(np.arange(size))[None]
    projection = pair_scores(vectors, direction, np.arange(n), np.zeros(n, np.int64))
    _, first, numbers = np.unique(projection, return_index=True, return_inverse=True)
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        equal = (vectors[part] == vectors[first[numbers[part]]]).all(axis=1)
        # A row that differs from the first row with its projection gets a number that no other row has.
        numbers[part] = np.where(equal, numbers[part], -1 - np.arange(start, start + len(equal)))
    return numbers

"""Pool the vectors of several fields, as a model with ``pooling: attention`` does."""

import numpy as np

ATTENTION = "attention"


def weigh(vectors: np.ndarray, logits: np.ndarray | None, groups: np.ndarray) -> np.ndarray:
    """Multiply vectors by weights, so that their plain mean over a group is the sum with softmax weights.

    The factor of a row is the number of rows in its group times the softmax of its logit among them (Ilse et al. 2018,
    eq. 7).

    Parameters
    ----------
    vectors
        (N, d) float.
    logits
        (N,) float. None: all rows have the same weight, and the vectors are returned as they are.
    groups
        (N,) group of each row, such as an InChIKey.

    Returns
    -------
    numpy.ndarray
        (N, d), with the dtype of ``vectors``.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    >>> weigh(vectors, np.log([3.0, 1.0, 5.0]), np.array(["A", "A", "B"])).round(6)
    array([[1.5, 0. ],
           [0. , 0.5],
           [2. , 2. ]])
    """
    if logits is None:
        return vectors
    _, codes, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    largest = np.full(len(sizes), -np.inf)
    np.maximum.at(largest, codes, logits)
    exponentials = np.exp(np.asarray(logits, np.float64) - largest[codes])
    factors = sizes[codes] * exponentials / np.bincount(codes, exponentials, len(sizes))[codes]
    return vectors * factors.astype(vectors.dtype)[:, None]

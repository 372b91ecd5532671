"""Whitening of vectors on some of them: their covariance becomes the identity."""

from typing import Literal

import numpy as np


def shrinkage(centred: np.ndarray) -> float:
    """Shrinkage of a covariance by the formula of Ledoit and Wolf (2004), from centred vectors (N, d): 0 to 1."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    return float(ledoit_wolf_shrinkage(centred, assume_centered=True))


def whitening(centred: np.ndarray, method: Literal["ZCA", "PCA"] = "ZCA", regularisation: float = 0.0) -> np.ndarray:
    """Matrix that whitens centred vectors: their covariance becomes the identity.

    Let E be the eigenvectors and λ the eigenvalues of the covariance, X'X / (N - 1). Then the matrix is
    ``E diag(λ)^(-1/2)`` (PCA), or ``E diag(λ)^(-1/2) E'`` (ZCA), which keeps the features (Kessy, Lewin and Strimmer,
    Optimal whitening and decorrelation, 2018). The class ``Spherize`` of pycytominer does the same.

    Parameters
    ----------
    centred
        (N, d) vectors with mean 0.
    method
        ZCA: the result has the axes of the input. PCA: its axes are the principal components.
    regularisation
        Share r from 0 to 1. Eigenvalues become ``(1 - r) λ + r mean(λ)``, so that directions in which the controls
        hardly vary are not blown up. With r = 1, all directions have the same scale. With r = 0, directions in which
        the controls do not vary at all have the scale of the smallest other one, as in pycytominer.

    Returns
    -------
    numpy.ndarray
        (d, d) float64.

    Raises
    ------
    ValueError
        If the controls do not vary at all.

    Examples
    --------
    >>> vectors = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> np.cov(vectors @ whitening(vectors), rowvar=False).round(6)
    array([[1., 0.],
           [0., 1.]])
    """
    values, axes = spectrum(centred)
    if regularisation == 0:
        values = np.maximum(values, values[values > 0].min())
    shrunk = (1 - regularisation) * values + regularisation * values.mean()
    matrix = axes / np.sqrt(shrunk)
    return matrix @ axes.T if method == "ZCA" else matrix


def spectrum(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (d,), descending, and eigenvectors (d, d) of the covariance. Values that are only noise are 0."""
    # Left singular vectors are not needed: with many controls, the full set of them would be large.
    _, singular, axes = np.linalg.svd(centred, full_matrices=len(centred) < centred.shape[1])
    # The tolerance of numpy.linalg.matrix_rank
    singular[singular <= singular.max(initial=0) * max(centred.shape) * np.finfo(float).eps] = 0
    if not singular.any():
        raise ValueError("the vectors of the control wells are all the same: nothing can be corrected on them")
    values = np.zeros(centred.shape[1])
    values[: len(singular)] = singular**2 / (len(centred) - 1)
    return values, axes.T

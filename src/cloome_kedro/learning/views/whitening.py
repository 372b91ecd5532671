"""Whitening of features: by principal components, or softly by compounds and their replicates."""

import numpy as np


def soft_whitening(x: np.ndarray, compounds: np.ndarray, noise: float, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Whitening matrix by the covariance between compounds and the covariance of their replicates.

    For compounds k = 1, ..., n with r_k rows x_ki and means a_k:

    - T = sum_k (a_k - a)(a_k - a)' / n with the mean a of all a_k: the covariance of compound means
    - W = sum_ki (x_ki - a_k)(x_ki - a_k)' / sum_k (r_k - 1): the covariance of single rows within compounds
    - h = sum_k (1 / r_k) / n: the part of W in T, since a mean of r_k rows has the noise W / r_k

    So T - h W estimates the covariance between compounds without noise (analysis of variance with a random effect). The
    matrix is C^(-1/2), the symmetric root, of C = (T - h W) + noise W + floor I. Eigenvalues of C - floor I that are
    negative, by chance, count as 0.

    Parameters
    ----------
    x : (rows, features) float64
        Scaled training rows.
    compounds : (rows,) int
        Code of the compound of each row.
    noise, floor
        See :class:`SoftWhitening`.

    Returns
    -------
    mean : (features,) float64
        The mean a.
    matrix : (features, features) float32

    Raises
    ------
    ValueError
        If no compound has two rows.
    """
    _, codes, counts = np.unique(compounds, return_inverse=True, return_counts=True)
    n = len(counts)
    if len(x) == n:
        raise ValueError(
            "whiten: noise is measured by replicates, but no compound has two rows in the training fold: give a number "
            "of principal components in place of noise and floor"
        )
    order = np.argsort(codes, kind="stable")
    means = np.add.reduceat(x[order], np.cumsum(counts) - counts, axis=0) / counts[:, None]
    mean = means.mean(axis=0)
    centred, within = means - mean, x - means[codes]
    of_means = centred.T @ centred / n
    of_replicates = within.T @ within / (len(x) - n)
    values, vectors = np.linalg.eigh(of_means + (noise - (1 / counts).mean()) * of_replicates)
    return mean, (vectors / np.sqrt(np.maximum(values, 0) + floor) @ vectors.T).astype(np.float32)


def whitening(x: np.ndarray, components: int) -> np.ndarray:
    """Whitening matrix by principal components: the covariance of ``x @ matrix`` is the identity.

    Columns are eigenvectors of the covariance, divided by the roots of their eigenvalues, the largest first. The
    largest entry of each eigenvector is positive, so that the matrix does not depend on the library.

    Parameters
    ----------
    x : (n, features) float64
        Rows whose mean is 0.
    components
        Number of components.

    Returns
    -------
    (features, components) float32

    Raises
    ------
    ValueError
        If the rows have fewer components with a variance above 0.
    """
    n, features = x.shape
    wide = features > n
    values, vectors = np.linalg.eigh((x @ x.T if wide else x.T @ x) / n)
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    rank = int((values > values[0] * max(x.shape) * np.finfo(float).eps).sum()) if values[0] > 0 else 0
    if components > rank:
        raise ValueError(
            f"whiten: the training rows have only {rank} principal components with a variance above 0, not "
            f"{components}: choose {rank} or fewer"
        )
    values, vectors = values[:components], vectors[:, :components]
    if wide:
        vectors = x.T @ vectors / np.sqrt(n * values)
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(components)])
    return (vectors / np.sqrt(values)).astype(np.float32)

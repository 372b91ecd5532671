"""Kernel ridge regression from the features of compounds to the mean profiles of their fields."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from cloome_kedro.evaluation.kernels import KernelName, mean_kernel
from cloome_kedro.evaluation.ridge_model import RidgeModel

logger = logging.getLogger(__name__)

_SMALLEST = 1e-10  # smallest eigenvalue of the kernel of landmarks that is kept, relative to the largest
_BLOCK = 4096  # rows whose kernel is computed at a time


@dataclass(frozen=True)
class Compounds:
    """Features of compounds, and the kernel between them.

    Attributes
    ----------
    features
        (n, d) numbers.
    kernel
        Name of the kernel.
    widths
        Number of features of each set. The mean over the kernels of the sets is used.
    """

    features: np.ndarray
    kernel: KernelName = "min_max"
    widths: Sequence[int] = ()

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Kernel between compounds at these positions: (rows, columns) float64."""
        widths = self.widths or [self.features.shape[1]]
        return mean_kernel(self.features[rows], self.features[columns], self.kernel, widths)


class RidgeFits:
    """Kernel ridge regressions with several strengths of regularisation.

    With at most ``landmarks`` training compounds, the regression is exact. Its time grows with the cube of their number
    for each strength, and its memory with the square: three matrices of 8 n^2 bytes, 0.9 GB for n = 6000. With more
    compounds, Nystroem's method approximates the kernel by that of some training compounds, which the seed draws
    (Williams and Seeger, NIPS 2000). Its memory is 8 n m bytes for m landmarks, and it takes n m^2 operations once.

    Kernels are divided by the mean of their diagonal over the training compounds, so that strengths mean the same for
    all kernels. The min-max kernel has the diagonal 1.

    Parameters
    ----------
    compounds
        Features and kernel.
    train
        (n,) int: positions of the training compounds.
    targets
        (n, t) profiles of the training compounds.
    landmarks
        Largest number of compounds whose kernel with all training compounds is computed.
    seed
        Seed of the landmarks.
    """

    def __init__(self, compounds: Compounds, train: np.ndarray, targets: np.ndarray, landmarks: int, seed: int):
        self.compounds, self.landmarks = compounds, train
        targets = np.asarray(targets, np.float64)
        if len(train) <= landmarks:
            kernel = compounds.between(train, train)
            self.scale = _scale(np.diagonal(kernel))
            kernel /= self.scale
            self._gram, self._right, self._basis = kernel, targets, None
            return
        logger.warning(
            "the kernel of %d training compounds is approximated by %d landmarks (Nystroem's method): raise "
            "`landmarks` for the exact kernel, which needs %.1f GB and a time that grows with the cube",
            *(len(train), landmarks, 24e-9 * len(train) ** 2),
        )
        self.landmarks = np.sort(np.random.default_rng([seed, 3]).choice(train, landmarks, replace=False))
        of_landmarks = compounds.between(self.landmarks, self.landmarks)
        self.scale = _scale(np.diagonal(of_landmarks))
        values, vectors = np.linalg.eigh(of_landmarks / self.scale)
        kept = values > _SMALLEST * values[-1]
        self._basis = vectors[:, kept] / np.sqrt(values[kept])
        features = np.empty((len(train), int(kept.sum())))
        for start in range(0, len(train), _BLOCK):
            part = train[start : start + _BLOCK]
            features[start : start + _BLOCK] = compounds.between(part, self.landmarks) / self.scale @ self._basis
        self._gram, self._right = features.T @ features, features.T @ targets

    def coefficients(self, alpha: float) -> np.ndarray:
        """Coefficients of the landmarks for a strength of regularisation: (landmarks, t) float64.

        The prediction for a compound is the sum over landmarks of the kernel with the landmark times its coefficients.
        """
        # The normal equations of the approximation, (F^T F + alpha) w = F^T y, have the form of the exact ones.
        solution = KernelRidge(alpha=alpha, kernel="precomputed").fit(self._gram, self._right).dual_coef_
        return solution if self._basis is None else self._basis @ solution

    def kernel_with(self, rows: np.ndarray) -> np.ndarray:
        """Kernel of compounds at these positions with the landmarks: (rows, landmarks) float64."""
        return self.compounds.between(rows, self.landmarks) / self.scale

    def model(self, alpha: float) -> RidgeModel:
        """The regression with a strength of regularisation, which predicts profiles of any compounds."""
        features = self.compounds.features
        widths = tuple(self.compounds.widths) or (features.shape[1],)
        return RidgeModel(features[self.landmarks], self.coefficients(alpha), self.scale, self.compounds.kernel, widths)


def _scale(diagonal: np.ndarray) -> float:
    mean = float(diagonal.mean())
    if not mean > 0:
        raise ValueError("all features of the training compounds are 0: choose another view of compounds")
    return mean

"""The prediction of a fitted kernel ridge regression. It needs numpy and scipy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cloome_kedro.evaluation.kernels import KernelName, mean_kernel

_BLOCK = 4096  # rows that are predicted at a time


@dataclass(frozen=True)
class RidgeModel:
    """Kernel ridge regression from features of compounds to profiles.

    Attributes
    ----------
    landmarks
        (m, d) features of the training compounds whose kernel the prediction needs.
    coefficients
        (m, t) float64.
    scale
        Number by which kernels are divided.
    kernel, widths
        As for :func:`~cloome_kedro.evaluation.kernels.mean_kernel`.

    Examples
    --------
    >>> ridge = RidgeModel(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[1.0], [2.0]]), 1.0, "linear", (2,))
    >>> ridge.predict(np.array([[3.0, 1.0]]))
    array([[11.]], dtype=float32)
    """

    landmarks: np.ndarray
    coefficients: np.ndarray
    scale: float
    kernel: KernelName
    widths: Sequence[int]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the profiles of compounds: features (n, d) -> (n, t) float32.

        The prediction is the sum over landmarks of the kernel with the landmark times its coefficients.
        """
        predicted = np.empty((len(features), self.coefficients.shape[1]), np.float32)
        for start in range(0, len(features), _BLOCK):
            kernel = mean_kernel(features[start : start + _BLOCK], self.landmarks, self.kernel, self.widths)
            predicted[start : start + _BLOCK] = kernel / self.scale @ self.coefficients
        return predicted

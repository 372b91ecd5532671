"""Scaling of features by the training rows: logarithm, mean and deviation, whitening by principal components."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.views.base import View

Transform = Literal["none", "signed_log"]
#: a normal variable has the standard deviation 1.4826 MAD (median absolute deviation): 1 / quantile(0.75)
MAD_TO_STD = 1.482602218505602


@dataclass(frozen=True)
class ScalingSettings:
    """How features are scaled. All numbers are learned on the training rows.

    Attributes
    ----------
    scaling
        ``standardise``: mean 0 and standard deviation 1. ``robust``: median 0 and median absolute deviation 1 / 1.4826;
        a feature whose deviation is 0 is divided by its standard deviation. ``none``: features as they are.
    transform
        ``signed_log``: sign(x) log(1 + abs(x)), before the scaling, for features with a few large values.
    whiten
        Number of principal components, after the scaling. The components are uncorrelated and have the standard
        deviation 1. None: the features themselves.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    scaling: str = "standardise"
    transform: Transform = "none"
    whiten: int | None = None

    def __post_init__(self):
        if self.whiten is not None:
            at_least(self, 1, "whiten")

    def learn(self, values: np.ndarray) -> dict[str, Any]:
        """Learn from training rows, (n, features) float32, the attributes of :class:`Scaled`.

        Raises
        ------
        ValueError
            If the training rows have fewer principal components than ``whiten``.
        """
        x = apply(torch.from_numpy(values).double(), self.transform)
        if self.scaling == "robust":
            mean = _median(x)
            std = MAD_TO_STD * _median((x - mean).abs())
            std = torch.where(std > 0, std, x.std(dim=0, correction=0))
        elif self.scaling == "standardise":
            std, mean = torch.std_mean(x, dim=0, correction=0)
        else:
            mean, std = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
        std = torch.where(std > 0, std, 1.0)  # a constant feature
        learned: dict[str, Any] = {"transform": self.transform}
        if self.whiten is not None:
            centre = x.mean(dim=0)
            learned["whitening"] = as_text(whitening((x - centre).div(std).numpy(), self.whiten))
            learned["components"] = self.whiten
            mean = centre
        return {"mean": tuple(mean.tolist()), "std": tuple(std.tolist()), **learned}


@dataclass(frozen=True)
class Scaled(View):
    """Scaled features, in training and in evaluation: (f(x) - mean) / std, times the whitening matrix if there is one.

    Attributes
    ----------
    columns
        Names of the features.
    mean, std
        One value per feature.
    transform
        The function f, as in :class:`ScalingSettings`.
    whitening
        Matrix (features, components) as text, see :func:`as_text`; empty if there is none.
    components
        Number of components; 0 if there is no whitening.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    transform: Transform = "none"
    whitening: str = ""
    components: int = 0

    @property
    def inputs(self) -> int:
        """Number of features, or of components."""
        return self.components or len(self.columns)

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Scale features, (N, features) float32 -> (N, inputs) float32."""
        mean, std = (torch.tensor(values, device=batch.device) for values in (self.mean, self.std))
        scaled = (apply(batch.float(), self.transform) - mean) / std
        if not self.components:
            return scaled
        return scaled @ as_matrix(self.whitening, self.components).to(batch.device)


def apply(x: torch.Tensor, transform: Transform) -> torch.Tensor:
    """Transform features, see :class:`ScalingSettings`."""
    return x.sign() * x.abs().log1p() if transform == "signed_log" else x


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


def as_text(matrix: np.ndarray) -> str:
    """A float32 matrix as base64 text of its bytes (little-endian, by rows), which JSON keeps exactly.

    >>> as_text(np.ones((1, 2), np.float32))
    'AACAPwAAgD8='
    """
    return base64.b64encode(np.ascontiguousarray(matrix, "<f4").tobytes()).decode()


@lru_cache(maxsize=8)
def as_matrix(text: str, columns: int) -> torch.Tensor:
    """Read a matrix from its text; the inverse of :func:`as_text`."""
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32).reshape(-1, columns))


def _median(x: torch.Tensor) -> torch.Tensor:
    """Median of each column. That of torch is the lower of two middle values."""
    return torch.from_numpy(np.median(x.numpy(), axis=0))

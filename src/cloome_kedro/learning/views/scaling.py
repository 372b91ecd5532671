"""Scaling of features by the training rows: transformation, mean and deviation, whitening."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.views.base import Table, View
from cloome_kedro.learning.views.whitening import soft_whitening, whitening

Transform = Literal["none", "signed_log", "rank_normal"]
#: a normal variable has the standard deviation 1.4826 MAD (median absolute deviation): 1 / quantile(0.75)
MAD_TO_STD = 1.482602218505602
#: largest number of reference values per feature of the transformation ``rank_normal``
_REFERENCE = 1000


@dataclass(frozen=True)
class SoftWhitening:
    """Whitening by the covariance of compounds and of their replicates, without choosing a number of components.

    The matrix is C^(-1/2) with C = (T - h W) + ``noise`` W + ``floor`` I, see :func:`soft_whitening`.

    Attributes
    ----------
    noise
        Weight of the covariance within compounds. With 1, C is the covariance of single rows. A larger weight shrinks
        directions in which replicates differ.
    floor
        Number that is added to each variance. It is relative to standardised features, whose variance is 1. A larger
        floor amplifies directions of small variance less.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    noise: float = 1.0
    floor: float = 1.0

    def __post_init__(self):
        if self.noise < 0 or self.floor <= 0:
            raise ValueError(
                f"whiten: noise must be at least 0 and floor above 0, but they are {self.noise:g} and {self.floor:g}"
            )


@dataclass(frozen=True)
class ScalingSettings:
    """How features are scaled. All numbers are learned on the training rows.

    Attributes
    ----------
    scaling
        ``standardise``: mean 0 and standard deviation 1. ``robust``: median 0 and median absolute deviation 1 / 1.4826;
        a feature whose deviation is 0 is divided by its standard deviation. ``none``: features as they are.
    transform
        What comes before the scaling, for features with a few large values. ``signed_log``: sign(x) log(1 + abs(x)).
        ``rank_normal``: the normal quantile of the rank among the training rows, see :func:`rank_normal`.
    whiten
        Number of principal components, after the scaling. The components are uncorrelated and have the standard
        deviation 1. Or the settings of :class:`SoftWhitening`, which keeps all directions. None: the features
        themselves.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    scaling: str = "standardise"
    transform: Transform = "none"
    whiten: int | SoftWhitening | None = None

    def __post_init__(self):
        if isinstance(self.whiten, int):
            at_least(self, 1, "whiten")

    def learn(self, values: np.ndarray, compounds: np.ndarray | None = None) -> dict[str, Any]:
        """Learn the attributes of :class:`Scaled` from training rows.

        Parameters
        ----------
        values
            (n, features) float32.
        compounds
            (n,) int: code of the compound of each row. Only :class:`SoftWhitening` needs it, see :meth:`compounds_of`.

        Raises
        ------
        ValueError
            If the training rows have fewer principal components than ``whiten``, or if it needs replicates and no
            compound has two rows.
        """
        learned: dict[str, Any] = {"transform": self.transform}
        rows = torch.from_numpy(values)
        reference = None
        if self.transform == "rank_normal":
            table = reference_values(values)
            learned["reference"], reference = as_text(table), torch.from_numpy(table)
        # Ranks are among float32 numbers, as in __call__.
        x = apply(rows.double(), self.transform) if reference is None else rank_normal(rows, reference).double()
        if self.scaling == "robust":
            mean = _median(x)
            std = MAD_TO_STD * _median((x - mean).abs())
            std = torch.where(std > 0, std, x.std(dim=0, correction=0))
        elif self.scaling == "standardise":
            std, mean = torch.std_mean(x, dim=0, correction=0)
        else:
            mean, std = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
        std = torch.where(std > 0, std, 1.0)  # a constant feature
        if isinstance(self.whiten, SoftWhitening):
            if compounds is None:
                raise ValueError("whiten: a whitening by replicates needs the column structure_row of the fields")
            centre, matrix = soft_whitening(x.div(std).numpy(), compounds, self.whiten.noise, self.whiten.floor)
            mean = torch.from_numpy(centre) * std
            learned |= {"whitening": as_text(matrix), "components": x.shape[1]}
        elif self.whiten is not None:
            mean = x.mean(dim=0)
            learned["whitening"] = as_text(whitening((x - mean).div(std).numpy(), self.whiten))
            learned["components"] = self.whiten
        return {"mean": tuple(mean.tolist()), "std": tuple(std.tolist()), **learned}

    def compounds_of(self, table: Table, rows: np.ndarray) -> np.ndarray | None:
        """Code of the compound of some rows of a table, for :meth:`learn`; None if the whitening does not need it.

        A row without a structure, such as a control, counts as a compound with one row.
        """
        if not isinstance(self.whiten, SoftWhitening) or "structure_row" not in table:
            return None
        codes = np.asarray(table["structure_row"], np.int64)[rows]
        return np.where(codes < 0, -1 - np.arange(len(codes)), codes)


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
    reference
        Reference values of ``rank_normal`` as text, (values, features) and sorted; empty for other transformations.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    transform: Transform = "none"
    whitening: str = ""
    components: int = 0
    reference: str = ""

    @property
    def inputs(self) -> int:
        """Number of features, or of components."""
        return self.components or len(self.columns)

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Scale features, (N, features) float32 -> (N, inputs) float32."""
        mean, std = (torch.tensor(values, device=batch.device) for values in (self.mean, self.std))
        reference = as_matrix(self.reference, len(self.columns)).to(batch.device) if self.reference else None
        scaled = (apply(batch.float(), self.transform, reference) - mean) / std
        if not self.components:
            return scaled
        return scaled @ as_matrix(self.whitening, self.components).to(batch.device)


def apply(x: torch.Tensor, transform: Transform, reference: torch.Tensor | None = None) -> torch.Tensor:
    """Transform features, see :class:`ScalingSettings`. Only ``rank_normal`` needs its reference."""
    if transform == "rank_normal":
        assert reference is not None
        return rank_normal(x, reference)
    return x.sign() * x.abs().log1p() if transform == "signed_log" else x


def reference_values(values: np.ndarray) -> np.ndarray:
    """Sorted values of each feature, for :func:`rank_normal`.

    Parameters
    ----------
    values : (n, features) float32
        Training rows.

    Returns
    -------
    (m, features) float32
        All values; of more than 1,000 rows, 1,000 quantiles at the levels (i + 1/2) / 1,000.
    """
    if len(values) <= _REFERENCE:
        return np.sort(values, axis=0)
    return np.quantile(values, (np.arange(_REFERENCE) + 0.5) / _REFERENCE, axis=0).astype(np.float32)


def rank_normal(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Normal quantile of the rank of each value among reference values of its feature.

    The rank is q = (number below + number not above) / 2m for m reference values, clipped to [1 / 2m, 1 - 1 / 2m]. So
    ties share a rank, and values beyond all references have a finite quantile.

    Parameters
    ----------
    x : (n, features) float32
    reference : (m, features) float32
        Sorted along the first axis.

    Returns
    -------
    (n, features) float32

    Examples
    --------
    >>> rank_normal(torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([[1.0], [2.0], [3.0]])).round(decimals=3).ravel()
    tensor([-0.9670,  0.0000,  0.9670])
    """
    values, by_feature = x.T.contiguous(), reference.T.contiguous()
    below = torch.searchsorted(by_feature, values)
    not_above = torch.searchsorted(by_feature, values, right=True)
    m = len(reference)
    rank = ((below + not_above).double() / (2 * m)).clamp(0.5 / m, 1 - 0.5 / m)
    return torch.special.ndtri(rank).T.to(x.dtype)


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

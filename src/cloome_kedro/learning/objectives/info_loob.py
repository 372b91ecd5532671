"""InfoLOOB, with or without modern Hopfield networks (CLOOB, Fürst et al. 2022)."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
import torch.nn.functional as F

from cloome_kedro.learning.objectives.base import Objective


@dataclass(frozen=True)
class InfoLOOB(Objective):
    """Sum of two InfoLOOB terms, multiplied by the temperature.

    Attributes
    ----------
    hopfield_beta
        Inverse temperature of the Hopfield networks. The terms then contrast embeddings that were retrieved from the
        fields, and embeddings that were retrieved from the compounds. None: no Hopfield networks; the terms are
        InfoLOOB(fields, compounds) and InfoLOOB(compounds, fields).

    Examples
    --------
    >>> InfoLOOB()({"field": torch.eye(2), "compound": torch.eye(2), "scale": torch.tensor(1.0)})
    tensor(-2.)
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    hopfield_beta: float | None = None

    def __post_init__(self):
        if self.hopfield_beta is not None and not 0 < self.hopfield_beta < inf:
            raise ValueError(f"InfoLOOB: hopfield_beta must be positive, is {self.hopfield_beta}")

    def loss(
        self, field: torch.Tensor, compound: torch.Tensor, scale: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        if self.hopfield_beta is None:
            return (_loob(field, compound, scale) + _loob(compound, field, scale)) / scale
        beta = self.hopfield_beta
        from_fields = _retrieve(field, field, beta), _retrieve(compound, field, beta)
        from_compounds = _retrieve(compound, compound, beta), _retrieve(field, compound, beta)
        return (_loob(*from_fields, scale) + _loob(*from_compounds, scale)) / scale


def _retrieve(state: torch.Tensor, stored: torch.Tensor, beta: float) -> torch.Tensor:
    """Update states by a Hopfield network: softmax(beta state stored^T) stored, rows scaled to length 1."""
    return F.normalize(torch.softmax(beta * state @ stored.T, dim=1) @ stored, dim=1)


def _loob(a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """-mean_i(s_ii - log sum_{j != i} exp s_ij), s = scale a b^T."""
    s = scale * a @ b.T
    is_positive = torch.eye(len(s), dtype=torch.bool, device=s.device)
    return (torch.logsumexp(s.masked_fill(is_positive, -torch.inf), dim=1) - s.diagonal()).mean()

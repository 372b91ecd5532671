"""Contrastive objectives, called as ``objective(image_embeddings, structure_embeddings, inverse_temperature)``.

Embeddings are (N, d) with L2-normalised rows, row i of both being a pair, N >= 2. They are computed in float32, or in
float64 where that is what comes in, also under autocast.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.config import FitConfig


class _Objective(nn.Module, ABC):
    def forward(
        self,
        image_embeddings: torch.Tensor,
        structure_embeddings: torch.Tensor,
        inverse_temperature: torch.Tensor | float,
    ) -> torch.Tensor:
        """Scalar loss of a batch; ValueError where the two sides differ in shape or hold fewer than two pairs."""
        x, z = image_embeddings, structure_embeddings
        if x.shape != z.shape or x.ndim != 2:
            raise ValueError(
                f"image and structure embeddings must be (N, d) alike, got {tuple(x.shape)}, {tuple(z.shape)}"
            )
        if len(x) < 2:
            raise ValueError(
                "a contrastive objective needs a batch of two pairs or more: with one there is no negative"
            )
        dtype = torch.promote_types(torch.promote_types(x.dtype, z.dtype), torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            scale = torch.as_tensor(inverse_temperature, dtype=dtype, device=x.device)
            return self.loss(x.to(dtype), z.to(dtype), scale)

    @abstractmethod
    def loss(self, x: torch.Tensor, z: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Loss of checked embeddings of one dtype."""


class InfoNCE(_Objective):
    """Mean cross entropy of the match among all structures and among all images (van den Oord et al. 2018)."""

    def loss(self, x, z, scale):
        logits = scale * x @ z.T
        match = torch.arange(len(x), device=x.device)
        return (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2


class InfoLOOB(_Objective):
    """InfoLOOB, with ``hopfield_beta`` on what modern Hopfield networks retrieve (CLOOB, Fürst et al. 2022).

    The loss is the sum of both terms times the temperature. Without Hopfield networks the terms are
    InfoLOOB(images, structures) and InfoLOOB(structures, images).
    """

    def __init__(self, hopfield_beta: float | None = None):
        super().__init__()
        self.hopfield_beta = hopfield_beta

    def loss(self, x, z, scale):
        if self.hopfield_beta is None:
            return (_loob(x, z, scale) + _loob(z, x, scale)) / scale
        beta = self.hopfield_beta
        from_images = _retrieve(x, x, beta), _retrieve(z, x, beta)
        from_structures = _retrieve(z, z, beta), _retrieve(x, z, beta)
        return (_loob(*from_images, scale) + _loob(*from_structures, scale)) / scale


def _retrieve(state: torch.Tensor, stored: torch.Tensor, beta: float) -> torch.Tensor:
    """One update of a Hopfield network: softmax(beta state stored^T) stored, rows normalised."""
    return F.normalize(torch.softmax(beta * state @ stored.T, dim=1) @ stored, dim=1)


def _loob(a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """-mean_i(s_ii - log sum_{j != i} exp s_ij), s = scale a b^T."""
    s = scale * a @ b.T
    own = torch.eye(len(s), dtype=torch.bool, device=s.device)
    return (torch.logsumexp(s.masked_fill(own, -torch.inf), dim=1) - s.diagonal()).mean()


def make_objective(config: FitConfig) -> nn.Module:
    """The objective that a configuration names."""
    return InfoNCE() if config.objective == "info_nce" else InfoLOOB(config.hopfield_beta)

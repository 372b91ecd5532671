"""InfoNCE (van den Oord et al. 2018), in both directions as in CLIP (Radford et al. 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from cloome_kedro.learning.objectives.base import Objective


@dataclass(frozen=True)
class InfoNCE(Objective):
    """Mean of two cross entropies: of the match among all compounds, and of the match among all fields of the batch.

    Examples
    --------
    >>> InfoNCE()({"field": torch.eye(2), "compound": torch.eye(2), "scale": torch.tensor(1.0)})
    tensor(0.3133)
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    def loss(
        self, field: torch.Tensor, compound: torch.Tensor, scale: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        logits = scale * field @ compound.T
        match = torch.arange(len(field), device=field.device)
        return (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2

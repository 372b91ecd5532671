"""Continuously weighted contrastive loss, CWCL (Srinivasa et al., NeurIPS 2023)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.objectives.targets import Targets, check_targets, needed, similarities


@dataclass(frozen=True)
class CWCL(Objective):
    """Cross entropies with a soft target in one direction, and with the match as the target in the other.

    The soft direction is -1/N sum_i sum_j w_ij / (sum_k w_ik) log p_ij. The weight w_ij is the similarity of the pairs
    i and j, and p_i is the softmax of s <field_i, compound_j> over j (over fields, if the soft direction is
    ``compound_to_image``). The other direction is that of InfoNCE. As in CellCLIP (Lu et al. 2025), weights that come
    from a cosine are (1 + cosine) / 2. The publication adds both directions, here they are averaged: with weights that
    are 0 except for the match, the loss is InfoNCE.

    Pairs of the same compound have the weight 1 in the soft direction. In the other direction, the target is shared
    equally by all pairs of the compound. So two pairs of a compound in a batch are no negatives.

    Attributes
    ----------
    targets
        What is compared, see :func:`cloome_kedro.learning.objectives.targets.similarities`.
    threshold
        Smaller weights are set to 0.
    soft
        Direction with the soft target. The default is that of CellCLIP.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    targets: Targets = "tanimoto"
    threshold: float = 0.0
    soft: Literal["image_to_compound", "compound_to_image"] = "image_to_compound"

    def __post_init__(self):
        check_targets("CWCL", self.targets, self.threshold)
        if self.soft not in ("image_to_compound", "compound_to_image"):
            raise ValueError(f"CWCL: soft must be image_to_compound or compound_to_image, is {self.soft}")

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that are compared, and codes of compounds."""
        return needed(self.targets)

    def loss(
        self, field: torch.Tensor, compound: torch.Tensor, scale: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        weights = similarities(self.targets, others)
        if self.targets != "tanimoto":
            weights = (1 + weights) / 2
        weights = torch.where(weights < self.threshold, 0, weights)
        matches = (others["unit"][:, None] == others["unit"]).to(weights.dtype)
        scores = scale * field @ compound.T
        scores = scores if self.soft == "image_to_compound" else scores.T
        return (_cross_entropy(scores, weights) + _cross_entropy(scores.T, matches)) / 2


def _cross_entropy(scores: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean over rows of the cross entropy with weights (N, N), whose rows are divided by their sums."""
    targets = weights / weights.sum(1, keepdim=True)
    return -(targets * torch.log_softmax(scores, dim=1)).sum(1).mean()

"""Soft-weighted sigmoid loss, S2L (Fradkin et al., NeurIPS 2024, "How molecules impact cells", MolPhenix)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import torch
import torch.nn.functional as F

from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.objectives.targets import Targets, check_targets, needed, similarities


@dataclass(frozen=True)
class S2L(Objective):
    """Logistic loss of every pair of a field and a compound, whose target is the similarity of the two pairs.

    -1/N sum_ij (w_ij log sigmoid(l_ij) + (gamma - delta w_ij) log sigmoid(-l_ij)), with
    l_ij = s <field_i, compound_j> + b, the inverse temperature s and a learned bias b. The weight w_ij is the
    similarity of the pairs i and j, or 0 where it is below the threshold. Pairs of the same compound have the weight 1,
    also if it occurs several times in a batch.

    With the defaults of ``gamma`` and ``delta`` the loss is the cross entropy with w_ij as the probability of a match;
    with weights that are 0 except for the match it is SigLIP. The implementation by Lu et al. (2025, CellCLIP) has
    ``gamma: 1.7`` and ``delta: 0.75``. MolPhenix compares embeddings of images; here the inputs of the encoders are
    compared.

    Attributes
    ----------
    targets
        What is compared, see :func:`cloome_kedro.learning.objectives.targets.similarities`.
    threshold
        Smaller similarities are set to 0. The default is that of Lu et al.
    gamma, delta
        Weight of pairs that do not match, and by how much similarity lowers it. ``gamma`` must not be below ``delta``.
    initial_bias
        Value of b at the beginning, as in SigLIP.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    targets: Targets = "tanimoto"
    threshold: float = 0.75
    gamma: float = 1.0
    delta: float = 1.0
    initial_bias: float = -10.0

    def __post_init__(self):
        check_targets("S2L", self.targets, self.threshold)
        if not isfinite(self.gamma) or not 0 <= self.delta <= self.gamma or self.gamma == 0:
            raise ValueError(
                "S2L: gamma must be positive and delta must be from 0 to gamma, but gamma is "
                f"{self.gamma} and delta is {self.delta}"
            )
        if not isfinite(self.initial_bias):
            raise ValueError(f"S2L: initial_bias must be a number, is {self.initial_bias}")

    @property
    def scalars(self) -> Mapping[str, float]:  # type: ignore[override]
        """The bias b."""
        return {"bias": self.initial_bias}

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that are compared, and codes of compounds."""
        return needed(self.targets)

    def loss(  # type: ignore[override]
        self,
        field: torch.Tensor,
        compound: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor,
        **others: torch.Tensor,
    ) -> torch.Tensor:
        weights = similarities(self.targets, others)
        weights = torch.where(weights < self.threshold, 0, weights)
        scores = scale * field @ compound.T + bias
        pairs = weights * F.logsigmoid(scores) + (self.gamma - self.delta * weights) * F.logsigmoid(-scores)
        return -pairs.sum() / len(field)

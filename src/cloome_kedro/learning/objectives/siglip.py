"""Sigmoid loss of pairs, SigLIP (Zhai et al., ICCV 2023)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import torch
import torch.nn.functional as F

from cloome_kedro.learning.objectives.base import Objective


@dataclass(frozen=True)
class SigLIP(Objective):
    """Logistic loss of every pair of a field and a compound, with a learned bias b.

    -1/N sum_ij log sigmoid(y_ij (s <field_i, compound_j> + b)), where s is the inverse temperature, and y_ij is 1 if
    field i shows compound j and -1 if not (algorithm 1 of the publication). If a compound occurs several times in a
    batch, y_ij is 1 for all its pairs.

    Attributes
    ----------
    initial_bias
        Value of b at the beginning. Most pairs are no match, which a negative value accounts for. The publication
        begins with the bias -10 and the inverse temperature 10 (setting ``inverse_temperature`` of the model).

    Examples
    --------
    >>> sets = {"field": torch.eye(2), "compound": torch.eye(2), "unit": torch.arange(2)}
    >>> SigLIP()(sets | {"scale": torch.tensor(10.0), "bias": torch.tensor(-10.0)})
    tensor(0.6932)
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}
    needs = ("unit",)

    initial_bias: float = -10.0

    def __post_init__(self):
        if not isfinite(self.initial_bias):
            raise ValueError(f"SigLIP: initial_bias must be a number, is {self.initial_bias}")

    @property
    def scalars(self) -> Mapping[str, float]:  # type: ignore[override]
        """The bias b."""
        return {"bias": self.initial_bias}

    def loss(  # type: ignore[override]
        self,
        field: torch.Tensor,
        compound: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor,
        unit: torch.Tensor,
        **others: torch.Tensor,
    ) -> torch.Tensor:
        scores = scale * field @ compound.T + bias
        signs = torch.where(unit[:, None] == unit, 1.0, -1.0).to(scores.dtype)
        return -F.logsigmoid(signs * scores).sum() / len(field)

"""One matrix."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class Linear(Encoder):
    """A matrix, with an intercept or without.

    Beside the encoder ``identity`` it is the bilinear model x^T W z of Sanchez-Fernandez et al. 2023, supplementary
    table 6 (there with 1,081 CellProfiler features and 8,192 bits).

    Attributes
    ----------
    bias
        Whether there is an intercept.
    start
        ``zeros``: every row has the embedding 0 at first, so that a batch has the loss of chance, ln N. That suits
        x^T W z, whose contrastive loss is convex in W: there is no symmetry to break. ``random``: torch's default.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    bias: bool = False
    start: Literal["random", "zeros"] = "random"

    def build(self, inputs: int, size: int) -> nn.Module:
        """A linear layer."""
        layer = nn.Linear(inputs, size, bias=self.bias)
        if self.start == "zeros":
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        return layer

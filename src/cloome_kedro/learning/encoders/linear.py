"""A linear encoder."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class Linear(Encoder):
    """A matrix, with or without an intercept.

    With the encoder ``identity`` on the other side, it is the bilinear model x^T W z of Sanchez-Fernandez et al. 2023,
    supplementary table 6 (there with 1,081 CellProfiler features and 8,192 bits).

    Attributes
    ----------
    bias
        Whether there is an intercept.
    start
        Initial weights. ``zeros``: all embeddings are 0 at first, so the first InfoNCE loss of a batch is that of
        chance, ln N. This suits x^T W z: its contrastive loss is convex in W, so no symmetry has to be broken.
        ``random``: torch's default.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    bias: bool = False
    start: Literal["random", "zeros"] = "random"

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make a linear layer, from (N, inputs) to (N, size)."""
        layer = nn.Linear(inputs, size, bias=self.bias)
        if self.start == "zeros":
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        return layer

"""A multilayer perceptron with the tensor names of the published structure encoder."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import nn

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class MLP(Encoder):
    """Hidden layers [Linear - BatchNorm - ReLU], then Linear to the embedding.

    The defaults give the published structure encoder: 4,731,392 parameters on 1,024 bits.

    Attributes
    ----------
    layers, width
        Number of hidden layers, and their width.
    batch_norm
        Whether hidden layers have batch normalisation.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    layers: int = 4
    width: int = 1024
    batch_norm: bool = True

    def __post_init__(self):
        at_least(self, 1, "layers", "width")

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make the network, from (N, inputs) to (N, size)."""
        return _Perceptron(self, inputs, size)


class _Perceptron(nn.Module):
    def __init__(self, settings: MLP, inputs: int, size: int):
        super().__init__()
        sizes = [inputs] + [settings.width] * settings.layers
        self.layers = nn.Sequential()
        for before, after in pairwise(sizes):
            norm = [nn.BatchNorm1d(after)] if settings.batch_norm else []
            self.layers.append(nn.Sequential(nn.Linear(before, after), *norm, nn.ReLU(inplace=True)))
        self.layers.append(nn.Sequential(nn.Linear(sizes[-1], size)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

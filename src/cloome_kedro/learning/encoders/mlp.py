"""A multilayer perceptron with the tensor names of the published structure encoder."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import nn

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class MLP(Encoder):
    """Dropout of inputs, hidden layers [Linear - normalisation - ReLU - dropout], then Linear to the embedding.

    The defaults give the published structure encoder: 4,731,392 parameters on 1,024 bits.

    Attributes
    ----------
    layers, width
        Number of hidden layers, and their width.
    batch_norm
        Whether hidden layers have batch normalisation, if ``norm`` is null.
    norm
        Normalisation of hidden layers: ``batch``, ``layer`` or ``none``.
    dropout
        Share of the values of hidden layers that are set to 0 in training, from 0 to below 1.
    input_dropout
        The same of the inputs.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    layers: int = 4
    width: int = 1024
    batch_norm: bool = True
    norm: Literal["batch", "layer", "none"] | None = None
    dropout: float = 0.0
    input_dropout: float = 0.0

    def __post_init__(self):
        at_least(self, 1, "layers", "width")
        if self.norm not in (None, *_NORMS):
            raise ValueError(f"MLP: norm must be one of {', '.join(_NORMS)}, is {self.norm}")
        if self.norm == "batch" and not self.batch_norm:
            raise ValueError("MLP: norm: batch and batch_norm: false contradict each other: remove one of them")
        for name in ("dropout", "input_dropout"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ValueError(f"MLP: {name} must be from 0 to below 1, is {share}")

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make the network, from (N, inputs) to (N, size)."""
        return _Perceptron(self, inputs, size)


_NORMS: dict[str, type[nn.Module] | None] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": None}


class _Perceptron(nn.Module):
    def __init__(self, settings: MLP, inputs: int, size: int):
        super().__init__()
        sizes = [inputs] + [settings.width] * settings.layers
        norm_class = _NORMS[settings.norm or ("batch" if settings.batch_norm else "none")]
        self.input_dropout = nn.Dropout(settings.input_dropout) if settings.input_dropout else None
        self.layers = nn.Sequential()
        for before, after in pairwise(sizes):
            norm = [] if norm_class is None else [norm_class(after)]
            dropout = [nn.Dropout(settings.dropout)] if settings.dropout else []
            self.layers.append(nn.Sequential(nn.Linear(before, after), *norm, nn.ReLU(inplace=True), *dropout))
        self.layers.append(nn.Sequential(nn.Linear(sizes[-1], size)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x if self.input_dropout is None else self.input_dropout(x))

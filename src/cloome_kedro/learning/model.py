"""The pair model: an encoder of fields, an encoder of compounds and the inverse temperature between them."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.encoders.base import Encoder

LARGEST_INVERSE_TEMPERATURE = 100.0


@dataclass(frozen=True)
class Architecture:
    """What a model is made of.

    Attributes
    ----------
    field, compound
        The two encoders.
    field_inputs, compound_inputs
        Length of the first axis of their inputs, see :class:`cloome_kedro.learning.views.base.View`.
    embedding_size
        Size of the common space; an encoder that has its own size, such as ``identity``, decides it instead.
    normalise
        Whether embeddings are divided by their lengths, so that scores are cosines.
    inverse_temperature
        Its initial value.
    learnable_temperature
        Whether training changes it.
    scalars
        Other numbers that are learned, with their initial values.
    """

    field: Encoder
    compound: Encoder
    field_inputs: int
    compound_inputs: int
    embedding_size: int = 512
    normalise: bool = True
    inverse_temperature: float = 14.3
    learnable_temperature: bool = True
    scalars: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not 1 <= self.inverse_temperature <= LARGEST_INVERSE_TEMPERATURE:
            raise ValueError(
                f"inverse_temperature must be in 1 to {LARGEST_INVERSE_TEMPERATURE:g}, is {self.inverse_temperature}"
            )
        if self.embedding_size < 1:
            raise ValueError(f"embedding_size must be at least 1, is {self.embedding_size}")

    @property
    def size(self) -> int:
        """Size of the common space; ValueError where both encoders have sizes of their own, and these differ."""
        own = (self.field.own_size(self.field_inputs), self.compound.own_size(self.compound_inputs))
        sizes = {size for size in own if size is not None}
        if len(sizes) > 1:
            raise ValueError(
                f"field and compound have embeddings of {own[0]} and {own[1]} numbers: choose other encoders"
            )
        return sizes.pop() if sizes else self.embedding_size

    def describe(self) -> dict[str, Any]:
        """As JSON values; :meth:`of` is the inverse."""
        return {
            **vars(self),
            "field": ENCODERS.describe(self.field),
            "compound": ENCODERS.describe(self.compound),
            "scalars": dict(self.scalars),
        }

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "Architecture":
        """The architecture that :meth:`describe` has described."""
        encoders = {side: ENCODERS.make(description[side]) for side in ("field", "compound")}
        return cls(**{**description, **encoders})


class PairModel(nn.Module):
    """Two encoders into one space and their inverse temperature.

    Tensors are named as in the published checkpoints: ``visual`` is the encoder of fields, ``transformer`` that of
    compounds, ``logit_inv_tau`` the logarithm of the inverse temperature.

    Attributes
    ----------
    architecture : Architecture
        What it is made of.
    embedding_size : int
        Length of both sides' vectors.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.embedding_size = architecture.size
        self.visual = architecture.field.build(architecture.field_inputs, self.embedding_size)
        self.transformer = architecture.compound.build(architecture.compound_inputs, self.embedding_size)
        self.logit_inv_tau = nn.Parameter(
            torch.tensor(math.log(architecture.inverse_temperature)), requires_grad=architecture.learnable_temperature
        )
        for name, value in architecture.scalars.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(float(value))))

    def encode_fields(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of fields (N, ...) -> (N, d), float32 (float64 stays)."""
        return self._finish(self.visual(inputs))

    def encode_compounds(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of compounds (N, ...) -> (N, d), float32 (float64 stays)."""
        return self._finish(self.transformer(inputs))

    def numbers(self) -> dict[str, torch.Tensor]:
        """The inverse temperature, ``scale``, and the learned scalars, by name."""
        return {"scale": self.logit_inv_tau.exp()} | {name: getattr(self, name) for name in self.architecture.scalars}

    def forward(self, field: torch.Tensor, compound: torch.Tensor) -> dict[str, torch.Tensor]:
        """What an objective takes: both sets of embeddings and the numbers, by name."""
        return {"field": self.encode_fields(field), "compound": self.encode_compounds(compound), **self.numbers()}

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Hold the logarithm of the inverse temperature in [0, ln 100], as published after every step."""
        self.logit_inv_tau.clamp_(0, math.log(LARGEST_INVERSE_TEMPERATURE))

    def _finish(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        return F.normalize(x, dim=-1) if self.architecture.normalise else x


def parameter_groups(
    model: nn.Module, weight_decay: float, rule: Literal["corrected", "published"] = "corrected"
) -> list[dict]:
    """Groups for the optimiser, of the parameters that are trained.

    By the ``corrected`` rule weight matrices and kernels decay; biases, gains of normalisations, the temperature and
    other scalars do not. The ``published`` rule goes by name and spares what is called ``bn`` or ``bias``, so that the
    temperature and the gains of normalisations with other names (in shortcuts, in the structure encoder) decay as well.
    """
    decaying: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = parameter.ndim > 1 if rule == "corrected" else not ("bn" in name or "bias" in name)
        (decaying if decays else spared).append(parameter)
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]


def make_optimizer(model: nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    """The optimiser that a configuration names, over the parameters that are trained."""
    groups = parameter_groups(model, config.weight_decay, config.decay_rule)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.learning_rate)

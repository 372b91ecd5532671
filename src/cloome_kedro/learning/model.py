"""The pair model: an encoder of fields, an encoder of compounds and a shared inverse temperature."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.attention import FieldAttention
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.encoders.base import Encoder
from cloome_kedro.pooling import ATTENTION

LARGEST_INVERSE_TEMPERATURE = 100.0

#: how the embeddings of several fields of a compound are pooled
Pooling = Literal["mean", "attention"]


@dataclass(frozen=True)
class Architecture:
    """Settings from which a :class:`PairModel` is built.

    Attributes
    ----------
    field, compound
        Encoder of fields and encoder of compounds.
    field_inputs, compound_inputs
        Length of the first axis of one row's input, see :class:`cloome_kedro.learning.views.base.View`.
    embedding_size
        Length of the embeddings. An encoder with a fixed size, such as ``identity``, overrides it.
    normalise
        Whether embeddings are scaled to length 1, so that scores are cosines.
    inverse_temperature
        Initial value, from 1 to 100.
    learnable_temperature
        Whether training changes the inverse temperature.
    scalars
        Further learned numbers: name -> initial value.
    features
        Number of features that a linear head predicts from the embedding of a field before it is scaled; 0: no head.
    pooling
        ``mean``: all fields of a compound have the same weight. ``attention``: weights are learned, see
        :class:`cloome_kedro.learning.attention.FieldAttention`.
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
    features: int = 0
    # The representation is part of the digest of a training, which also has the layers of the model.
    pooling: Pooling = dataclasses.field(default="mean", repr=False)

    def __post_init__(self):
        if not 1 <= self.inverse_temperature <= LARGEST_INVERSE_TEMPERATURE:
            raise ValueError(
                f"inverse_temperature must be from 1 to {LARGEST_INVERSE_TEMPERATURE:g}, is {self.inverse_temperature}"
            )
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be {' or '.join(get_args(Pooling))}, is {self.pooling!r}")
        if self.embedding_size < 1:
            raise ValueError(f"embedding_size must be at least 1, is {self.embedding_size}")

    @property
    def size(self) -> int:
        """Length of the embeddings.

        Raises
        ------
        ValueError
            If both encoders have a fixed size and the sizes differ.
        """
        field_size = self.field.fixed_size(self.field_inputs)
        compound_size = self.compound.fixed_size(self.compound_inputs)
        sizes = {size for size in (field_size, compound_size) if size is not None}
        if len(sizes) > 1:
            raise ValueError(
                f"embeddings of fields have {field_size} numbers, embeddings of compounds have {compound_size}: choose "
                "encoders that give the same size"
            )
        return sizes.pop() if sizes else self.embedding_size

    def describe(self) -> dict[str, Any]:
        """Describe the architecture in JSON values; :meth:`of` is the inverse."""
        return {
            **vars(self),
            "field": ENCODERS.describe(self.field),
            "compound": ENCODERS.describe(self.compound),
            "scalars": dict(self.scalars),
        }

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "Architecture":
        """Make the architecture from what :meth:`describe` returned."""
        encoders = {side: ENCODERS.make(description[side]) for side in ("field", "compound")}
        return cls(**{**description, **encoders})


class PairModel(nn.Module):
    """Encoders of fields and of compounds into one embedding space, and their inverse temperature.

    Tensors have the names of the published checkpoints: ``visual`` is the encoder of fields, ``transformer`` is the
    encoder of compounds, and ``logit_inv_tau`` is the logarithm of the inverse temperature. ``head`` predicts features.
    ``attention`` gives the weights of fields.

    Attributes
    ----------
    architecture : Architecture
        Settings of the model.
    embedding_size : int
        Length of the embeddings.
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
        # These layers come last, so that they change no initial weights of the others.
        if architecture.features:
            self.head = nn.Linear(self.embedding_size, architecture.features)
        if architecture.pooling == ATTENTION:
            self.attention = FieldAttention(self.embedding_size)

    def encode_fields(self, inputs: torch.Tensor) -> torch.Tensor:
        """Embed fields: inputs (N, ...) -> (N, d) float32; float64 stays float64."""
        return self._finish(self.visual(inputs))

    def encode_with_logits(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed fields as :meth:`encode_fields`, and give their logits (N,), if the pooling is ``attention``."""
        hidden = self.visual(inputs)
        return self._finish(hidden), self._float(self.attention(self._float(hidden)))

    def encode_compounds(self, inputs: torch.Tensor) -> torch.Tensor:
        """Embed compounds: inputs (N, ...) -> (N, d) float32; float64 stays float64."""
        return self._finish(self.transformer(inputs))

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Predict features of fields: inputs (N, ...) -> (N, features)."""
        return self.head(self.visual(inputs))

    def pool(self, fields: torch.Tensor, logits: torch.Tensor | None = None) -> torch.Tensor:
        """Take the mean of the embeddings of k fields, scaled to length 1 if they are: (N, k, d) -> (N, d).

        Logits (N, k) give the fields softmax weights. Without logits, all weights are the same.
        """
        mean = fields.mean(dim=1) if logits is None else (logits.softmax(dim=1)[..., None] * fields).sum(dim=1)
        return F.normalize(mean, dim=-1) if self.architecture.normalise else mean

    def scalars(self) -> dict[str, torch.Tensor]:
        """Inverse temperature, under the name ``scale``, and the learned scalars, by name."""
        return {"scale": self.logit_inv_tau.exp()} | {name: getattr(self, name) for name in self.architecture.scalars}

    def forward(
        self, field: torch.Tensor, compound: torch.Tensor, target: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Give the input of an objective: sets of embeddings and the scalars, by name.

        Parameters
        ----------
        field, compound
            Inputs (N x k, ...) of k fields of each of N pairs, and inputs (N, ...) of their compounds.
        target
            (N x k, features) measured features of the fields. If given, the output also has ``prediction`` and
            ``target``, (N, k, features) each.

        Returns
        -------
        dict of str to torch.Tensor
            ``field`` and ``compound``: (N, d) embeddings. If there are several fields per pair, ``fields``: (N, k, d)
            their embeddings. ``scale`` and the learned scalars have no dimension.
        """
        hidden, shape = self.visual(field), (len(compound), -1)
        fields = self._finish(hidden)
        outputs = {"field": fields, "compound": self.encode_compounds(compound), **self.scalars()}
        if len(fields) > len(compound):
            outputs["fields"] = fields.unflatten(0, shape)
            attends = self.architecture.pooling == ATTENTION
            logits = self._float(self.attention(self._float(hidden))).unflatten(0, shape) if attends else None
            outputs["field"] = self.pool(outputs["fields"], logits)
        if target is not None:
            predicted = {"prediction": self.head(hidden), "target": target}
            outputs |= {name: values.unflatten(0, shape) for name, values in predicted.items()}
        return outputs

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Clamp the logarithm of the inverse temperature to [0, ln 100], as published; called after every step."""
        self.logit_inv_tau.clamp_(0, math.log(LARGEST_INVERSE_TEMPERATURE))

    def _finish(self, x: torch.Tensor) -> torch.Tensor:
        x = self._float(x)
        return F.normalize(x, dim=-1) if self.architecture.normalise else x

    @staticmethod
    def _float(x: torch.Tensor) -> torch.Tensor:
        return x.to(torch.promote_types(x.dtype, torch.float32))


def parameter_groups(
    model: nn.Module, weight_decay: float, rule: Literal["corrected", "published"] = "corrected"
) -> list[dict]:
    """Group the trainable parameters for the optimiser: with and without weight decay.

    Parameters
    ----------
    model
        Its parameters that need no gradient are left out.
    weight_decay
        Weight decay of the first group.
    rule
        ``corrected``: weight matrices and kernels decay. Biases, gains of normalisation layers, the temperature and
        other scalars do not. ``published``: all parameters decay, except those with ``bn`` or ``bias`` in their name.
        The temperature then decays, and also gains of normalisation layers with other names (in shortcuts and in the
        structure encoder).
    """
    decayed: list[nn.Parameter] = []
    not_decayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = parameter.ndim > 1 if rule == "corrected" else not ("bn" in name or "bias" in name)
        (decayed if decays else not_decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": not_decayed, "weight_decay": 0.0}]


def make_optimizer(model: nn.Module, config: FitConfig, device: torch.device | str = "cpu") -> torch.optim.Optimizer:
    """Make the optimiser of the configuration for the trainable parameters.

    A fused optimiser changes each parameter in one pass, and on a GPU all parameters at once. With the scaled gradients
    of ``16-mixed`` it is not used, since it cannot be combined with clipping.
    """
    groups = parameter_groups(model, config.weight_decay, config.decay_rule)
    fused = True if torch.device(device).type in ("cpu", "cuda") and config.precision != "16-mixed" else None
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)

"""The pair model: an image encoder, a structure encoder and the inverse temperature between them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.encoders import IMAGE_ENCODERS, StructureEncoder

LARGEST_INVERSE_TEMPERATURE = 100.0


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch's CPU draws come from ``seed``; the state of before is put back after it.

    For what takes no generator argument: the initialisation of layers and torchvision's random transforms.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class ContrastiveModel(nn.Module, ABC):
    """What the fit trains: an image side and a structure side, whose dot products times the inverse temperature score.

    Attributes
    ----------
    embedding_size : int
        Length of both sides' vectors.
    logit_inv_tau : torch.Tensor
        Logarithm of the inverse temperature.
    """

    embedding_size: int
    logit_inv_tau: torch.Tensor

    @abstractmethod
    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Preprocessed images (N, ...) -> (N, d), float32 (float64 stays)."""

    @abstractmethod
    def encode_structures(self, fingerprints: torch.Tensor) -> torch.Tensor:
        """Fingerprints (N, bits) of 0 and 1 as floats -> (N, d), float32 (float64 stays)."""

    def forward(
        self, images: torch.Tensor, fingerprints: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Image embeddings, structure embeddings and the inverse temperature: what an objective takes."""
        return self.encode_images(images), self.encode_structures(fingerprints), self.logit_inv_tau.exp()

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Hold the logarithm of the inverse temperature in [0, ln 100], as published after every step."""
        self.logit_inv_tau.clamp_(0, math.log(LARGEST_INVERSE_TEMPERATURE))


class PairModel(ContrastiveModel):
    """Two encoders into one space and their inverse temperature, named as in the published checkpoints.

    Parameters
    ----------
    image_encoder, structure_encoder : ImageEncoderConfig, StructureEncoderConfig
        The two encoders.
    bits : int
        Length of a fingerprint.
    embedding_size : int
        Size of the common space.
    inverse_temperature : float
        Its initial value; it is kept as a logarithm.
    learnable_temperature : bool
        Whether training changes it.
    """

    def __init__(
        self,
        image_encoder: ImageEncoderConfig,
        structure_encoder: StructureEncoderConfig,
        bits: int,
        embedding_size: int = 512,
        inverse_temperature: float = 14.3,
        learnable_temperature: bool = True,
    ):
        super().__init__()
        self.embedding_size = embedding_size
        self.visual = IMAGE_ENCODERS[image_encoder.name](image_encoder, embedding_size)
        self.transformer = StructureEncoder(structure_encoder, bits, embedding_size)
        self.logit_inv_tau = nn.Parameter(
            torch.tensor(math.log(inverse_temperature)), requires_grad=learnable_temperature
        )

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Preprocessed images (N, C, H, W) -> (N, d), rows L2-normalised, float32 (float64 stays)."""
        return _unit(self.visual(images))

    def encode_structures(self, fingerprints: torch.Tensor) -> torch.Tensor:
        """Fingerprints (N, bits) of 0 and 1 as floats -> (N, d), rows L2-normalised, float32 (float64 stays)."""
        return _unit(self.transformer(fingerprints))


def _unit(x: torch.Tensor) -> torch.Tensor:
    return F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)


def parameter_groups(
    model: nn.Module, weight_decay: float, rule: Literal["corrected", "published"] = "corrected"
) -> list[dict]:
    """Groups for the optimiser, of the parameters that are trained.

    By the ``corrected`` rule weight matrices and kernels decay; biases, normalisation gains and the temperature do not.
    The ``published`` rule goes by name and spares what is called ``bn`` or ``bias``, so that the temperature and the
    gains of normalisations called otherwise (in shortcuts, in the structure encoder) decay as well.
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

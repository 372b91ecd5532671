"""Settings of the encoders, the objective and the fit, as plain dataclasses.

``__pydantic_config__`` makes pydantic refuse unknown keys where these are read from configuration, while this module needs
the standard library only.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class ImageEncoderConfig:
    """``resnet`` is the published anti-aliased ResNet; ``resnet18`` and ``resnet50`` are torchvision's."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    name: Literal["resnet", "resnet18", "resnet50"] = "resnet"
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64
    channels: int = 5


@dataclass(frozen=True)
class StructureEncoderConfig:
    """MLP: ``layers`` x [Linear - BatchNorm - ReLU] of ``width``, then Linear to the embedding size."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    layers: int = 4
    width: int = 1024
    batch_norm: bool = True


@dataclass(frozen=True)
class FitConfig:
    """Objective, optimiser, schedule and the length of a training."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    embedding_size: int = 512
    objective: Literal["info_nce", "info_loob"] = "info_nce"
    hopfield_beta: float | None = None
    inverse_temperature: float = 14.3
    learnable_temperature: bool = True
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup_steps: int = 20_000
    cycles: int = 1
    batch_size: int = 256
    unique_compounds: bool = True
    epochs: int = 70
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = "auto"

"""Settings of the encoders, the objective and the fit, as plain dataclasses.

``__pydantic_config__`` makes pydantic refuse unknown keys where these are read from configuration, while this module
needs the standard library only. Defaults are the publication's, but for ``decay_rule``, ``unique_compounds`` and
``precision``.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


def _at_least(owner: object, minimum: float, *names: str) -> None:
    for name in names:
        if getattr(owner, name) < minimum:
            raise ValueError(f"{type(owner).__name__}: {name} must be at least {minimum}, is {getattr(owner, name)}")


@dataclass(frozen=True)
class ImageEncoderConfig:
    """``resnet`` is the published anti-aliased ResNet; ``resnet18`` and ``resnet50`` are torchvision's.

    ``layers`` and ``width`` shape ``resnet`` alone: torchvision's networks have a size of their own.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    name: Literal["resnet", "resnet18", "resnet50"] = "resnet"
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64
    channels: int = 5

    def __post_init__(self):
        _at_least(self, 1, "width", "channels")
        if len(self.layers) != 4 or min(self.layers) < 1:
            raise ValueError(f"ImageEncoderConfig: layers must be four numbers of at least 1, is {self.layers}")


@dataclass(frozen=True)
class StructureEncoderConfig:
    """MLP: ``layers`` x [Linear - BatchNorm - ReLU] of ``width``, then Linear to the embedding size."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    layers: int = 4
    width: int = 1024
    batch_norm: bool = True

    def __post_init__(self):
        _at_least(self, 1, "layers", "width")


@dataclass(frozen=True)
class FitConfig:
    """Objective, optimiser, schedule and the length of a training.

    ``hopfield_beta`` belongs to ``info_loob``. ``decay_rule`` says which parameters decay
    (:func:`cloome_kedro.learning.model.parameter_groups`). ``unique_compounds``: a batch holds no compound twice (no
    treatment twice, where pairs are counted by treatment); what an epoch is then, is told in
    :func:`cloome_kedro.learning.batches.epoch_batches`.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    embedding_size: int = 512
    objective: Literal["info_nce", "info_loob"] = "info_nce"
    hopfield_beta: float | None = None
    inverse_temperature: float = 14.3
    learnable_temperature: bool = True
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    decay_rule: Literal["corrected", "published"] = "corrected"
    warmup_steps: int = 20_000
    cycles: int = 1
    batch_size: int = 256
    unique_compounds: bool = True
    epochs: int = 70
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = "auto"

    def __post_init__(self):
        _at_least(self, 0, "learning_rate", "weight_decay", "warmup_steps")
        _at_least(self, 1, "embedding_size", "cycles", "epochs")
        _at_least(self, 2, "batch_size")
        if not 1 <= self.inverse_temperature <= 100:
            raise ValueError(f"FitConfig: inverse_temperature must be in 1 to 100, is {self.inverse_temperature}")
        if self.hopfield_beta is not None and (self.objective != "info_loob" or self.hopfield_beta <= 0):
            raise ValueError("FitConfig: hopfield_beta is a positive number and needs objective: info_loob")

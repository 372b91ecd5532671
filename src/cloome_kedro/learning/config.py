"""Settings of a fit, as a plain dataclass that pydantic reads from the configuration.

``__pydantic_config__`` makes pydantic refuse unknown keys; this module needs the standard library only. Defaults of the
science are the publication's, but for ``decay_rule``, ``unique_compounds`` and ``precision``.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


def at_least(owner: object, minimum: float, *names: str) -> None:
    """ValueError with the name of a setting that is below the minimum."""
    for name in names:
        if getattr(owner, name) < minimum:
            raise ValueError(f"{type(owner).__name__}: {name} must be at least {minimum}, is {getattr(owner, name)}")


@dataclass(frozen=True)
class FitConfig:
    """Optimiser, schedule and length of a training, and what it runs on.

    Attributes
    ----------
    optimizer, momentum
        ``momentum`` belongs to ``sgd``.
    schedule
        What follows the warm-up: cosine annealing with hard restarts, or a constant learning rate.
    decay_rule
        Which parameters decay, see :func:`cloome_kedro.learning.model.parameter_groups`.
    clip_norm
        Gradients are scaled down to this norm at most.
    batch_size
        Pairs that are contrasted with one another, over all devices together; two or more on each.
    micro_batch_size
        Pairs that a device holds activations of at a time (3 in place of 2 where one would be left over). The loss is
        that of the whole batch all the same. Batch normalisation takes its statistics from these.
    unique_compounds
        Whether a batch holds no compound twice (no treatment twice, where pairs are counted by treatment); see
        :func:`cloome_kedro.learning.batches.epoch_batches` for what an epoch then is.
    keep
        Validation metrics (or ``loss``); for each, the model of its best epoch is kept.
    patience
        Training ends after this number of epochs without a better value of the first of ``keep``.
    precision, accelerator, devices, strategy
        As lightning-fabric names them; several devices are driven by processes that the training itself starts.
    sync_batchnorm
        Whether batch normalisation takes its statistics over all devices (GPUs only).
    compile
        Whether the model goes through ``torch.compile``.
    checkpoint_minutes, checkpoint_steps
        How often the state is written from which a killed training goes on.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    decay_rule: Literal["corrected", "published"] = "corrected"
    schedule: Literal["cosine_restarts", "constant"] = "cosine_restarts"
    warmup_steps: int = 20_000
    cycles: int = 1
    clip_norm: float | None = None
    batch_size: int = 256
    micro_batch_size: int | None = None
    unique_compounds: bool = True
    epochs: int = 70
    keep: tuple[str, ...] = ("top1",)
    patience: int | None = None
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    strategy: Literal["auto", "ddp_spawn"] = "auto"
    sync_batchnorm: bool = False
    compile: bool = False
    checkpoint_minutes: float | None = 10.0
    checkpoint_steps: int | None = None

    def __post_init__(self):
        at_least(self, 0, "learning_rate", "weight_decay", "warmup_steps", "momentum")
        at_least(self, 1, "cycles", "epochs", "devices")
        at_least(self, 2 * self.devices, "batch_size")
        for name, minimum in (("micro_batch_size", 2), ("patience", 1), ("checkpoint_steps", 1)):
            if getattr(self, name) is not None:
                at_least(self, minimum, name)
        for name in ("clip_norm", "checkpoint_minutes"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"FitConfig: {name} must be positive, is {getattr(self, name)}")
        if self.batch_size % self.devices:
            raise ValueError(
                f"FitConfig: batch_size must be a multiple of devices, {self.batch_size} is not of {self.devices}"
            )
        if not self.keep or len(set(self.keep)) < len(self.keep):
            raise ValueError(f"FitConfig: keep must name metrics, each once, is {self.keep}")
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("FitConfig: momentum needs optimizer: sgd")

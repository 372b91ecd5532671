"""Settings of a fit, as a dataclass that pydantic reads from the configuration.

``__pydantic_config__`` makes pydantic refuse unknown keys. This module needs only the standard library. The defaults of
scientific settings are those of the publication, except ``decay_rule``, ``unique_compounds`` and ``precision``.
"""

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal

#: names of lightning-fabric
Accelerator = Literal["auto", "cpu", "gpu", "cuda", "mps"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def at_least(settings: object, minimum: float, *names: str) -> None:
    """Raise ValueError if a setting of these names is below the minimum or not finite; the message gives its name."""
    for name in names:
        if not minimum <= (value := getattr(settings, name)) < inf:
            raise ValueError(f"{type(settings).__name__}: {name} must be at least {minimum}, is {value}")


@dataclass(frozen=True)
class FitConfig:
    """Optimiser, schedule, length and hardware of a training.

    Attributes
    ----------
    optimizer, momentum
        ``momentum`` requires ``sgd``.
    schedule
        Learning rate after the warm-up: cosine annealing with hard restarts, or constant.
    warmup_steps, cycles
        Steps of the linear warm-up, and number of cosine arcs after it.
    decay_rule
        Which parameters have weight decay, see :func:`cloome_kedro.learning.model.parameter_groups`.
    clip_norm
        Largest allowed norm of the gradient; null does not clip.
    batch_size
        Pairs that are contrasted with one another, over all devices together; at least two per device.
    micro_batch_size
        Number of pairs, with all their fields, whose activations a device holds at the same time; null is the whole
        batch. The loss is always that of the whole batch. Batch normalisation uses the statistics of each micro-batch.
        Micro-batches have about equal sizes and at least two pairs. With a value of 2 and an odd number of pairs, one
        of them has three pairs.
    unique_compounds
        Whether each compound occurs at most once in a batch (each treatment, if ``pair_key`` is ``treatment``). It
        also changes what an epoch is, see :func:`cloome_kedro.learning.batches.epoch_batches`.
    fields_per_compound
        Number of fields of each unit of a batch, on different plates where possible. The mean of their embeddings,
        scaled to length 1 if the model normalises, is contrasted. The pooling ``attention`` of a model gives them
        learned weights. A unit with fewer fields repeats them.
    block_rows
        For stores of images that are larger than memory: fields are read in blocks of this number of neighbours on the
        disk. Only ``open_blocks`` of them are in use at a time, and batches take their fields in random order. The log
        says how random the batches are. An epoch then takes every field once. null takes fields from anywhere.
    open_blocks
        Number of blocks that are in use at a time. Their fields should be several times those of a batch, and with
        ``unique_compounds`` they should have several times as many compounds.
    average_decay
        Decay of an exponential moving average of the weights over the steps, such as 0.99. Validation, kept models and
        results are then those of the average; null uses the weights of the last step of an epoch.
    keep
        Validation metrics, or ``loss``. For each of them the model of the best epoch is kept.
    patience
        Training ends after this number of epochs without a better value of the first metric in ``keep``.
    precision, accelerator, devices, strategy
        As in lightning-fabric. ``devices`` are those of one machine. With several devices the training starts one
        process per device.
    nodes
        Number of machines. With several of them, torchrun starts the processes.
    sync_batchnorm
        Whether batch normalisation uses the statistics of all devices together (GPUs only).
    compile
        Whether the model is compiled by ``torch.compile``.
    checkpoint_minutes, checkpoint_steps
        How often the state is saved. An interrupted training continues from its saved state.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

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
    fields_per_compound: int = 1
    block_rows: int | None = None
    open_blocks: int = 64
    average_decay: float | None = None
    keep: tuple[str, ...] = ("top1",)
    patience: int | None = None
    precision: Precision = "32-true"
    accelerator: Accelerator = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: Literal["auto", "ddp_spawn"] = "auto"
    sync_batchnorm: bool = False
    compile: bool = False
    checkpoint_minutes: float | None = 10.0
    checkpoint_steps: int | None = None

    def __post_init__(self):
        at_least(self, 0, "learning_rate", "weight_decay", "warmup_steps", "momentum")
        at_least(self, 1, "cycles", "epochs", "devices", "nodes", "fields_per_compound", "open_blocks")
        at_least(self, 2 * self.processes, "batch_size")
        for name, minimum in (("micro_batch_size", 2), ("block_rows", 1), ("patience", 1), ("checkpoint_steps", 1)):
            if getattr(self, name) is not None:
                at_least(self, minimum, name)
        for name in ("clip_norm", "checkpoint_minutes"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < inf:
                raise ValueError(f"FitConfig: {name} must be positive, is {getattr(self, name)}")
        if self.block_rows is not None and self.fields_per_compound > 1:
            raise ValueError(
                "FitConfig: block_rows needs fields_per_compound: 1, since the fields of a compound are in many blocks"
            )
        if self.average_decay is not None and not 0 < self.average_decay < 1:
            raise ValueError(f"FitConfig: average_decay must be between 0 and 1, is {self.average_decay}")
        if self.batch_size % self.processes:
            raise ValueError(
                f"FitConfig: batch_size must be a multiple of devices (of all nodes), but {self.batch_size} is not a "
                f"multiple of {self.processes}"
            )
        if not self.keep or len(set(self.keep)) < len(self.keep):
            raise ValueError(f"FitConfig: keep must name at least one metric, and each metric once, is {self.keep}")
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("FitConfig: momentum needs optimizer: sgd")
        if self.momentum >= 1:
            raise ValueError(f"FitConfig: momentum must be below 1, is {self.momentum}")

    @property
    def processes(self) -> int:
        """Number of processes that train, one per device."""
        return self.nodes * self.devices

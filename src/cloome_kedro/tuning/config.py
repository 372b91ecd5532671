"""Settings of a search, as a plain dataclass."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class SearchConfig:
    """How a study is searched.

    Attributes
    ----------
    sampler
        ``grid`` goes through every point of the space; ``tpe`` learns from the trials that have ended.
    trials
        How many there are in all, the ones given and those of earlier searches of the study among them; a grid has its
        own number.
    pruner
        ``median`` ends a trial whose best value so far is below the median of the others' at the same epoch.
    seed
        All draws come from it.
    workers
        Processes on this machine.
    heartbeat_seconds
        A trial without a sign of life for twice as long is run again by another worker.
    startup_trials
        Trials that end before ``tpe`` draws otherwise than at random, and before any is pruned.
    warmup_epochs
        Epochs in which no trial is pruned.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    sampler: Literal["grid", "tpe", "random"] = "tpe"
    trials: int | None = 16
    pruner: Literal["median", "none"] = "median"
    seed: int = 0
    workers: int = 1
    heartbeat_seconds: int = 60
    startup_trials: int = 5
    warmup_epochs: int = 1

    def __post_init__(self):
        least = {"workers": 1, "heartbeat_seconds": 1, "seed": 0, "startup_trials": 0, "warmup_epochs": 0}
        if self.sampler != "grid":
            if self.trials is None:
                raise ValueError(f"SearchConfig: trials must be a number where the sampler is {self.sampler}")
            least["trials"] = 1
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"SearchConfig: {name} must be at least {minimum}, is {getattr(self, name)}")

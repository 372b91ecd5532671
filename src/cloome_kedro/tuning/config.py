"""Settings of a search, as a dataclass."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class SearchConfig:
    """How a study is searched.

    Attributes
    ----------
    sampler
        ``grid`` tries every point of the space. ``tpe`` learns from finished trials. ``random`` draws at random.
    trials
        Total number of trials in the study, including the given points and trials of earlier searches. It has no effect
        on a grid.
    pruner
        ``median`` ends a trial whose best value is below the median of the other trials at the same epoch.
    seed
        Seed of all draws.
    workers
        Number of processes on this machine.
    heartbeat_seconds
        Time between heartbeats of a running trial. After twice this time without one, another worker runs the trial
        again.
    startup_trials
        Number of finished trials before ``tpe`` stops to draw at random, and before a trial can be pruned.
    warmup_epochs
        Number of first epochs in which no trial is pruned.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    sampler: Literal["grid", "tpe", "random"] = "tpe"
    trials: int | None = 16
    pruner: Literal["median", "none"] = "median"
    seed: int = 0
    workers: int = 1
    heartbeat_seconds: int = 60
    startup_trials: int = 5
    warmup_epochs: int = 1

    def __post_init__(self):
        minima = {"workers": 1, "heartbeat_seconds": 1, "seed": 0, "startup_trials": 0, "warmup_epochs": 0}
        if self.sampler != "grid":
            if self.trials is None:
                raise ValueError(f"SearchConfig: trials must be a number if the sampler is {self.sampler}")
            minima["trials"] = 1
        for name, minimum in minima.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"SearchConfig: {name} must be at least {minimum}, is {getattr(self, name)}")
        if self.seed >= 2**32:
            raise ValueError(f"SearchConfig: seed must be below 2**32, is {self.seed}")

"""Samplers whose draws do not depend on the process that draws, and the pruner."""

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from cloome_kedro.tuning.config import SearchConfig

#: user attribute: number of earlier trials of the study, without copies of killed trials
PLACE = "place"


class SeededSampler(BaseSampler):
    """Draw each value with a new sampler, seeded by the place of the trial and the name of the parameter.

    A sampler that is seeded only once would repeat its draws after an interruption, and in every process.
    """

    def __init__(self, make: Callable[..., BaseSampler], seed: int):
        self._make, self._seed = make, seed

    def _sampler(self, trial: FrozenTrial, name: str = "") -> BaseSampler:
        place = trial.user_attrs.get(PLACE, trial.number)  # a trial that a user enqueued has no place
        entropy = [self._seed, place, zlib.crc32(name.encode())]
        return self._make(seed=int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler(trial, param_name).sample_independent(study, trial, param_name, param_distribution)


def make_sampler(config: SearchConfig) -> BaseSampler:
    """Make the sampler of a search.

    The points of a grid are given. The sampler then draws only for trials that an earlier search without a grid left.
    """
    if config.sampler == "tpe":
        # constant_liar: running trials count as bad, so that workers try different points
        return SeededSampler(
            partial(TPESampler, constant_liar=True, n_startup_trials=config.startup_trials), config.seed
        )
    return SeededSampler(RandomSampler, config.seed)


def make_pruner(config: SearchConfig) -> BasePruner:
    """Make the pruner of a search. Epochs count from 0."""
    if config.pruner == "median":
        return MedianPruner(n_startup_trials=config.startup_trials, n_warmup_steps=config.warmup_epochs)
    return NopPruner()

"""Learning rate schedule."""

import math

from cloome_kedro.learning.config import FitConfig


def warmup_cosine_restarts(step: int, warmup_steps: int, total_steps: int, cycles: int = 1) -> float:
    """Factor of the learning rate at a step: linear warm-up from 0, then cosine annealing with hard restarts.

    Parameters
    ----------
    step : int
        Number of earlier steps, from 0.
    warmup_steps, total_steps : int
        Steps of the warm-up, and of the whole training including the warm-up.
    cycles : int
        Number of cosine arcs, each from 1 to 0.

    Returns
    -------
    float
        From 0 to 1. It is 0 when training ends.

    Examples
    --------
    >>> [round(warmup_cosine_restarts(step, warmup_steps=2, total_steps=6), 2) for step in range(7)]
    [0.0, 0.5, 1.0, 0.85, 0.5, 0.15, 0.0]
    """
    if step < warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.0 if progress >= 1 else (1 + math.cos(math.pi * (cycles * progress % 1))) / 2


def learning_rate(config: FitConfig, step: int, total_steps: int) -> float:
    """Learning rate of a fit at a step, by ``config.schedule``."""
    if config.schedule == "constant" and step >= config.warmup_steps:
        return config.learning_rate
    return config.learning_rate * warmup_cosine_restarts(step, config.warmup_steps, total_steps, config.cycles)

"""Learning-rate schedule."""

import math


def warmup_cosine_restarts(step: int, warmup_steps: int, total_steps: int, cycles: int = 1) -> float:
    """Multiplier of the learning rate at a step: linear from 0, then cosine annealing with hard restarts, 0 at the end.

    Parameters
    ----------
    step : int
        Batches already trained on, from 0.
    warmup_steps, total_steps : int
        Batches of the warm-up, and of the whole training with it.
    cycles : int
        Number of cosine arcs.
    """
    if step < warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.0 if progress >= 1 else (1 + math.cos(math.pi * (cycles * progress % 1))) / 2

"""Seeded random draws of torch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers on the CPU from ``seed`` inside the block; restore the previous state after it.

    It serves functions without a generator argument: the initialisation of layers and torchvision's random transforms.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

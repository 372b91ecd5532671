"""Seeds of torch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch's CPU draws come from ``seed``; the state of before is put back after it.

    For what takes no generator argument: the initialisation of layers and torchvision's random transforms.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

"""Seeded random draws of torch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` inside the block; restore the previous state after it.

    It serves functions without a generator argument: the initialisation of layers, dropout and torchvision's random
    transforms. Numbers on the CPU are always seeded. Those on a GPU are seeded if it is given as ``device``.
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield

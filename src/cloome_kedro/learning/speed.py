"""Speed of training, measured on a few random images."""

import time
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from cloome_kedro.learning.config import FitConfig


def training_rate(
    encoder: Any, inputs: int, shape: tuple[int, int], fit: FitConfig, size: int = 128, seconds: float = 2.0
) -> float:
    """Measure how many fields per second an encoder learns from.

    A step is a forward and a backward pass of random images. Reading, augmentation, the other encoder and the optimiser
    are left out: they are a small part with images of the usual sizes.

    Parameters
    ----------
    encoder
        Settings of the encoder of fields, with ``build(inputs, size)``.
    inputs
        Number of channels.
    shape
        (height, width) of the images in pixels.
    fit
        Its accelerator, precision and batch size count. Batches of more than 64 fields are measured with 64.
    size
        Length of the embeddings.
    seconds
        About how long to measure. There are at least two steps; the first does not count.

    Raises
    ------
    ValueError
        If the encoder cannot take images of this shape.
    """
    fabric = Fabric(accelerator=fit.accelerator, devices=1, precision=fit.precision)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        model = encoder.build(inputs, size)
    model = fabric.setup_module(model.to(memory_format=torch.channels_last))
    batch = max(2, min(fit.batch_size, 64))
    images = fabric.to_device(torch.randn(batch, inputs, *shape, generator=generator))
    images = images.to(memory_format=torch.channels_last)
    _step(fabric, model, images)
    steps, start = 0, time.perf_counter()
    while not steps or time.perf_counter() - start < seconds:
        _step(fabric, model, images)
        steps += 1
    return steps * batch / (time.perf_counter() - start)


def _step(fabric: Fabric, model: nn.Module, images: torch.Tensor) -> None:
    loss = model(images).square().mean()
    fabric.backward(loss)
    model.zero_grad()
    float(loss.detach())  # waits until the device is ready

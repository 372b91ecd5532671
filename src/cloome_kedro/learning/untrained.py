"""What a model needs before its first step, to embed with fresh weights."""

import numpy as np
import torch
from torch import nn

from cloome_kedro.learning.batches import ReadFields, as_tensor, prefetch
from cloome_kedro.learning.model import ContrastiveModel
from cloome_kedro.learning.preprocess import Preprocess


@torch.no_grad()
def calibrate_image_statistics(
    model: ContrastiveModel,
    read: ReadFields,
    fields: np.ndarray,
    preprocess: Preprocess,
    seed: int,
    batch_size: int = 256,
    at_most: int = 2048,
    device: torch.device | str = "cpu",
) -> None:
    """Set the image side's batch-normalisation statistics to their means over batches of a seeded sample of fields.

    A fresh layer normalises by mean 0 and variance 1, which its inputs do not have: without this the network would
    not be the one that training begins with, and nearly all fields would point the same way. No weight changes.

    Parameters
    ----------
    read, preprocess
        As of :func:`cloome_kedro.learning.embed.embed_images`.
    fields : (n,) int
        Positions to draw ``at_most`` from; give those of the training fold only.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    sample = np.random.default_rng(seed).permutation(fields)[:at_most]
    # Of about one size, since each weighs as much; of two fields or more, since one has no statistics in maps of 1 x 1.
    batches = np.array_split(sample, max(1, min(-(-len(sample) // batch_size), len(sample) // 2)))
    model.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    for images in prefetch(lambda batch: as_tensor(read(batch)), batches):
        model.encode_images(preprocess(images.to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()

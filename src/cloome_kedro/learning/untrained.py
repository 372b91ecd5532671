"""What a model needs before its first step, to embed with fresh weights."""

import numpy as np
import torch
from torch import nn

from cloome_kedro.learning.batches import as_tensor, prefetch
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.views.base import Read, View


@torch.no_grad()
def calibrate_field_statistics(
    embedder: Embedder, read: Read, fields: np.ndarray, view: View, seed: int, at_most: int = 2048
) -> None:
    """Set the batch-normalisation statistics of the field encoder to their means over batches of a sample of fields.

    A fresh layer normalises by mean 0 and variance 1, which its inputs do not have. Without this the network would not
    be the one that training begins with, and nearly all fields would point the same way. No weight changes.

    Parameters
    ----------
    embedder
        Its model, batch size and device.
    read
        Positions -> what is read of these rows.
    fields : (n,) int
        Positions to draw ``at_most`` from; give those of the training fold only.
    view
        Makes the encoder's input.
    seed
        Of the sample.
    """
    model = embedder.model
    layers = [module for module in model.visual.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    sample = np.random.default_rng(seed).permutation(fields)[:at_most]
    # Batches are of about one size, since each weighs as much. They hold two fields or more, since one has no
    # statistics in maps of 1 x 1.
    count = max(1, min(-(-len(sample) // embedder.batch_size), len(sample) // 2))
    batches = np.array_split(sample, count)
    model.to(embedder.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    for batch in prefetch(lambda batch: as_tensor(read(batch)), batches):
        model.encode_fields(view(batch.to(embedder.device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()

"""Batch normalisation statistics of an untrained model."""

import numpy as np
import torch
from torch import nn

from cloome_kedro.learning.batches import as_tensor, prefetch
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.views.base import Rows, View


@torch.no_grad()
def calibrate_field_statistics(
    embedder: Embedder, rows: Rows, fields: np.ndarray, view: View, seed: int, at_most: int = 2048
) -> None:
    """Measure the batch normalisation statistics of the field encoder on a sample of fields.

    A new layer normalises by mean 0 and variance 1, which are not the statistics of its inputs. A training normalises
    by the statistics of its batches, from the first step on. Without this function, the embeddings of nearly all fields
    would have the same direction. Weights do not change.

    Parameters
    ----------
    embedder
        Holds the model, the batch size and the device.
    rows
        Rows of the fields.
    fields : (n,) int
        Positions of fields; give only fields of the training fold.
    view
        Turns the arrays into the input of the encoder.
    seed
        Seed of the sample.
    at_most
        Largest number of fields in the sample.
    """
    model = embedder.model
    assert isinstance(model, PairModel)
    layers = [module for module in model.visual.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    sample = np.random.default_rng(seed).permutation(fields)[:at_most]
    # Batches have about the same size, since all have the same weight in the mean. They hold at least two fields,
    # since a single field has no variance in maps of 1 x 1 pixels.
    count = max(1, min(-(-len(sample) // embedder.batch_size), len(sample) // 2))
    batches = np.array_split(sample, count)
    model.to(embedder.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # mean over batches with equal weights
        layer.train()
    loaded = prefetch(lambda batch: as_tensor(rows.read(batch)), batches)
    for batch, tensor in zip(batches, loaded, strict=True):
        extra = () if rows.context is None else (as_tensor(rows.context[batch]).to(embedder.device),)
        model.encode_fields(view(tensor.to(embedder.device), *extra))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()

"""One training step: the gradient of the whole batch's loss, whatever the batch is divided into.

A contrastive loss needs all embeddings of a batch at once, but not all activations. Embeddings of micro-batches and of
other devices are gathered first, without activations; the loss gives each embedding its gradient; each micro-batch then
runs once more, with activations, and takes the gradients of its embeddings from there (gradient caching, Gao et al.
2021). A batch in one piece on one device runs once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

#: makes (images, fingerprints) of a micro-batch, on the device, the same at every call
MicroBatch = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def backward(
    fabric: Fabric, network: _FabricModule, objective: nn.Module, micro_batches: Sequence[MicroBatch]
) -> torch.Tensor:
    """Add the gradient of the batch's loss to the parameters, alike on all devices, and return the loss.

    Without batch statistics loss and gradient are those of the batch in one piece. Batch normalisation in training
    takes its statistics from each micro-batch on each device, and keeps them once a step.

    Parameters
    ----------
    fabric : Fabric
        Launched; its devices hold equally many pairs each.
    network
        Set up by ``fabric``: (images, fingerprints) -> image embeddings, structure embeddings, inverse temperature.
    objective : nn.Module
        See :mod:`cloome_kedro.learning.objectives`.
    micro_batches : sequence of callables
        This device's part of the batch.
    """
    in_one_piece = len(micro_batches) == 1
    with torch.set_grad_enabled(in_one_piece), _statistics_kept(network, in_one_piece):
        outputs = [network(*make()) for make in micro_batches]
    x, z = (torch.cat([output[side].detach() for output in outputs]) for side in (0, 1))
    own = slice(fabric.global_rank * len(x), (fabric.global_rank + 1) * len(x))
    all_x, all_z = (_gather(fabric, side).requires_grad_() for side in (x, z))
    scale = outputs[0][2].detach().requires_grad_()
    loss = objective(all_x, all_z, scale)
    of_x, of_z, of_scale = torch.autograd.grad(loss, (all_x, all_z, scale))

    of_x, of_z = of_x[own], of_z[own]
    done = 0
    for number, make in enumerate(micro_batches, start=1):
        with fabric.no_backward_sync(network, enabled=number < len(micro_batches)):
            x, z, scale = outputs[0] if in_one_piece else network(*make())
            part = slice(done, done + len(x))
            done += len(x)
            of_pairs = (x * of_x[part]).sum() + (z * of_z[part]).sum()
            # Devices' gradients are averaged: each has a share of the pairs, but the whole of the temperature's.
            fabric.backward(fabric.world_size * of_pairs + scale * of_scale / len(micro_batches))
    return loss.detach()


def _gather(fabric: Fabric, embeddings: torch.Tensor) -> torch.Tensor:
    """(N, d) of this device -> (devices x N, d), by rank; a tensor of its own."""
    if fabric.world_size == 1:
        return embeddings.clone()
    gathered = fabric.all_gather(embeddings)
    assert isinstance(gathered, torch.Tensor)
    return gathered.flatten(0, 1)


@contextmanager
def _statistics_kept(network: nn.Module, kept: bool) -> Iterator[None]:
    """Unless ``kept``, batch normalisation leaves its running statistics as they are."""
    norms = [] if kept else [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for norm in norms:
        # A layer that does not track normalises by the batch's statistics in training, and as ever in evaluation.
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True

"""One training step: the gradient of the whole batch's loss, whatever the batch is divided into.

A contrastive loss needs all embeddings of a batch at once, but not all activations. Embeddings of micro-batches and of
other devices are gathered first, without activations. The loss gives each embedding its gradient. Each micro-batch then
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

from cloome_kedro.learning.objectives.base import Objective

#: makes the network's inputs of a micro-batch, on the device, the same at every call
MicroBatch = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def backward(
    fabric: Fabric, network: _FabricModule, objective: Objective, micro_batches: Sequence[MicroBatch]
) -> torch.Tensor:
    """Add the gradient of the batch's loss to the parameters, alike on all devices, and return the loss.

    Without batch statistics loss and gradient are those of the batch in one piece. Batch normalisation in training
    takes its statistics from each micro-batch on each device, and keeps them once in each step.

    Parameters
    ----------
    fabric : Fabric
        Launched; its devices hold equally many pairs each.
    network
        Set up by ``fabric``: inputs -> sets of embeddings (N, d) and numbers without dimension, by name.
    objective : Objective
        Takes what the network gives, of all pairs.
    micro_batches : sequence of callables
        This device's part of the batch.
    """
    in_one_piece = len(micro_batches) == 1
    with torch.set_grad_enabled(in_one_piece), _statistics_kept(network, in_one_piece):
        outputs = [network(*make()) for make in micro_batches]
    sets = [name for name, tensor in outputs[0].items() if tensor.ndim]
    parts = {name: torch.cat([output[name].detach() for output in outputs]) for name in sets}
    pairs = len(parts[sets[0]])
    own = slice(fabric.global_rank * pairs, (fabric.global_rank + 1) * pairs)
    whole = {
        name: (_gather(fabric, parts[name]) if name in parts else tensor.detach()).requires_grad_()
        for name, tensor in outputs[0].items()
    }
    loss = objective(whole)
    found = torch.autograd.grad(loss, list(whole.values()), allow_unused=True)
    gradients = {name: gradient for name, gradient in zip(whole, found, strict=True) if gradient is not None}
    of_pairs = {name: gradients[name][own] for name in sets if name in gradients}

    done = 0
    for number, make in enumerate(micro_batches, start=1):
        with fabric.no_backward_sync(network, enabled=number < len(micro_batches)):
            output = outputs[0] if in_one_piece else network(*make())
            part = slice(done, done + len(output[sets[0]]))
            done = part.stop
            from_pairs = sum((output[name] * gradient[part]).sum() for name, gradient in of_pairs.items())
            from_numbers = [
                output[name] * gradients[name] / len(micro_batches) for name in gradients if name not in of_pairs
            ]
            # Devices' gradients are averaged: each has a share of the pairs, but the whole of the numbers' gradients.
            fabric.backward(fabric.world_size * from_pairs + sum(from_numbers))
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

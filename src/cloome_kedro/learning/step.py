"""One training step: the gradient of the loss of the whole batch, also if the batch is divided.

A contrastive loss needs all embeddings of a batch at once, but not all activations. So a divided batch takes three
steps (gradient caching, Gao et al. 2021):

1. The embeddings of all micro-batches and devices are computed without activations and gathered.
2. The loss of all embeddings gives the gradient of each embedding.
3. Each micro-batch runs again, with activations, and passes the gradients of its embeddings on to the parameters.

A batch that a device processes in one piece runs only once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cloome_kedro.learning.objectives.base import Objective

#: returns the network's inputs of a micro-batch, on the device; every call gives the same values
MicroBatch = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def backward(
    fabric: Fabric, network: _FabricModule, objective: Objective, micro_batches: Sequence[MicroBatch]
) -> torch.Tensor:
    """Add the gradient of the loss of a batch to the parameters, equally on all devices, and return the loss.

    Without batch normalisation, loss and gradient are those of the undivided batch. Batch normalisation in training
    uses the statistics of each micro-batch on each device. Each micro-batch updates the running statistics once.

    Parameters
    ----------
    fabric : Fabric
        Launched. All devices have the same number of pairs.
    network
        Set up by ``fabric``. It maps inputs to sets of embeddings (N, d) and scalars without dimension, by name.
    objective : Objective
        Loss of the network's output for all pairs.
    micro_batches : sequence of callables
        This device's part of the batch.

    Returns
    -------
    torch.Tensor
        Loss of the whole batch, without dimension and detached.
    """
    undivided = len(micro_batches) == 1
    with torch.set_grad_enabled(undivided), _running_statistics(network, updated=undivided):
        outputs = [network(*make_inputs()) for make_inputs in micro_batches]
    sets = [name for name, tensor in outputs[0].items() if tensor.ndim]
    local = {name: torch.cat([output[name].detach() for output in outputs]) for name in sets}
    pairs = len(local[sets[0]])
    local_rows = slice(fabric.global_rank * pairs, (fabric.global_rank + 1) * pairs)
    # The loss is computed on detached tensors, so that its gradient stops at the embeddings.
    gathered = {
        name: (_gather(fabric, local[name]) if name in local else tensor.detach()).requires_grad_()
        for name, tensor in outputs[0].items()
    }
    loss = objective(gathered)
    all_gradients = torch.autograd.grad(loss, list(gathered.values()), allow_unused=True)
    gradients = {name: gradient for name, gradient in zip(gathered, all_gradients, strict=True) if gradient is not None}
    embedding_gradients = {name: gradients[name][local_rows] for name in sets if name in gradients}
    scalar_gradients = {name: gradient for name, gradient in gradients.items() if name not in sets}

    start = 0
    for number, make_inputs in enumerate(micro_batches, start=1):
        with fabric.no_backward_sync(network, enabled=number < len(micro_batches)):
            output = outputs[0] if undivided else network(*make_inputs())
            rows = slice(start, start + len(output[sets[0]]))
            start = rows.stop
            from_embeddings = sum(
                (output[name] * gradient[rows]).sum() for name, gradient in embedding_gradients.items()
            )
            from_scalars = sum(
                output[name] * gradient / len(micro_batches) for name, gradient in scalar_gradients.items()
            )
            # Fabric averages over devices. Each device has only its share of the gradients of embeddings, but the
            # complete gradients of the scalars.
            fabric.backward(fabric.world_size * from_embeddings + from_scalars)
    return loss.detach()


def _gather(fabric: Fabric, embeddings: torch.Tensor) -> torch.Tensor:
    """Gather (N, d) of each device into a new tensor (devices x N, d), ordered by rank."""
    if fabric.world_size == 1:
        return embeddings.clone()
    gathered = fabric.all_gather(embeddings)
    assert isinstance(gathered, torch.Tensor)
    return gathered.flatten(0, 1)


@contextmanager
def _running_statistics(network: nn.Module, updated: bool) -> Iterator[None]:
    """Switch the update of running statistics of batch normalisation on or off inside the block."""
    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    norms = [] if updated else layers
    for norm in norms:
        # Without tracking, a layer in training still normalises by the statistics of the batch, and a layer in
        # evaluation still normalises by its running statistics.
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True

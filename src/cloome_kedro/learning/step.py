"""One training step: the gradient of the loss of the whole batch, also if the batch is divided.

A contrastive loss needs all embeddings of a batch at once, but not all activations. So a divided batch takes three
steps (gradient caching, Gao et al. 2021):

1. The embeddings of all micro-batches and devices are computed without activations and gathered.
2. The loss of all embeddings gives the gradient of each embedding.
3. Each micro-batch runs again, with activations, and passes the gradients of its embeddings on to the parameters.

A batch that a device processes in one piece runs only once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cloome_kedro.learning.features import FeatureLoss
from cloome_kedro.learning.objectives.base import FURTHER_SETS, Objective
from cloome_kedro.learning.seeding import seeded

#: returns the inputs of the network by name, and the codes that the objective needs (``unit``, ``plate``), of a
#: micro-batch on the device; every call gives the same values
MicroBatch = Callable[[], Mapping[str, torch.Tensor]]


def backward(
    fabric: Fabric,
    network: _FabricModule,
    objective: Objective | FeatureLoss,
    micro_batches: Sequence[MicroBatch],
    seed: int = 0,
) -> torch.Tensor:
    """Add the gradient of the loss of a batch to the parameters, equally on all devices, and return the loss.

    Without batch normalisation, loss and gradient are those of the undivided batch. Batch normalisation in training
    uses the statistics of each micro-batch on each device. Each micro-batch updates the running statistics once.
    Dropout draws its own values for each micro-batch, and the same ones when the micro-batch runs again.

    Parameters
    ----------
    fabric : Fabric
        Launched. All devices have the same number of pairs.
    network
        Set up by ``fabric``. It maps inputs to sets of embeddings (N, d) and scalars without dimension, by name.
    objective : Objective or FeatureLoss
        Loss of the network's output for all pairs.
    micro_batches : sequence of callables
        This device's part of the batch.
    seed
        Seed of the random draws of layers, such as dropout.

    Returns
    -------
    torch.Tensor
        Loss of the whole batch, without dimension and detached.
    """
    undivided = len(micro_batches) == 1
    outputs, fixed_parts = [], []
    with torch.set_grad_enabled(undivided), _running_statistics(network, updated=undivided):
        for number, make_inputs in enumerate(micro_batches):
            inputs = make_inputs()
            outputs.append(_run(network, inputs, seed + number))
            fixed_parts.append(fixed_sets(objective, inputs))
    wanted = [name for name in outputs[0] if name not in FURTHER_SETS or name in objective.needs]
    sets = [name for name in wanted if outputs[0][name].ndim]
    local = {name: torch.cat([output[name].detach() for output in outputs]) for name in sets}
    fixed = {name: torch.cat([part[name] for part in fixed_parts]) for name in fixed_parts[0]}
    pairs = len(local[sets[0]])
    local_rows = slice(fabric.global_rank * pairs, (fabric.global_rank + 1) * pairs)
    # The loss is computed on detached tensors, so that its gradient stops at the embeddings.
    gathered = {
        name: (_gather(fabric, local[name]) if name in local else outputs[0][name].detach()).requires_grad_()
        for name in wanted
    }
    loss = objective(gathered | {name: _gather(fabric, tensor) for name, tensor in fixed.items()})
    all_gradients = torch.autograd.grad(loss, list(gathered.values()), allow_unused=True)
    gradients = {name: gradient for name, gradient in zip(gathered, all_gradients, strict=True) if gradient is not None}
    embedding_gradients = {name: gradients[name][local_rows] for name in sets if name in gradients}
    scalar_gradients = {name: gradient for name, gradient in gradients.items() if name not in sets}

    start = 0
    for number, make_inputs in enumerate(micro_batches):
        with fabric.no_backward_sync(network, enabled=number + 1 < len(micro_batches)):
            output = outputs[0] if undivided else _run(network, make_inputs(), seed + number)
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


def fixed_sets(objective: Objective | FeatureLoss, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the sets that the objective needs and that do not depend on the weights, by name.

    Parameters
    ----------
    objective
        Its ``needs`` name the sets.
    inputs
        Inputs of the encoders, by name: (N, p) of compounds, (N x k, p) of k fields per pair. Codes by name.

    Raises
    ------
    ValueError
        If the objective needs inputs that are not vectors.
    """
    sets = {}
    for name in objective.needs:
        if name in inputs:
            sets[name] = inputs[name]
        if name not in ("field_input", "compound_input"):
            continue
        side = name.removesuffix("_input")
        vectors = inputs[side]
        if vectors.ndim > 2:
            raise ValueError(
                f"the objective {type(objective).__name__} compares inputs of {side}s, which must be vectors, but the "
                f"view gives arrays of the shape {tuple(vectors.shape[1:])}: choose other targets of the objective, "
                "or another view"
            )
        # For several fields per pair, their mean.
        sets[name] = vectors.unflatten(0, (len(inputs.get("compound", vectors)), -1)).mean(1)
    return sets


def _run(network: _FabricModule, inputs: Mapping[str, torch.Tensor], seed: int) -> dict[str, Any]:
    """Give the output of the network for these inputs, without the codes."""
    arguments = {name: tensor for name, tensor in inputs.items() if name not in FURTHER_SETS}
    with seeded(seed, next(iter(arguments.values())).device):
        return network(**arguments)


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

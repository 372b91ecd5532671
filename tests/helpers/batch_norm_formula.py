"""Batch normalisation by its formula."""

import torch


def batch_norm(x, tensors, name):
    """In evaluation, of the layer ``name``."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, var, gain, bias = (
        tensors[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * gain + bias


def randomise_statistics(module):
    """So that a missing or misplaced normalisation shows."""
    generator = torch.Generator().manual_seed(1)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.5)

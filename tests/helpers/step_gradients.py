"""Loss and gradients of one batch, over devices and micro-batches; spawned processes import this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.fit import end_process_group
from cloome_kedro.learning.model import Architecture, PairModel, make_optimizer
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.step import backward
from cloome_kedro.learning.views.images import Images

PAIRS = 24


@dataclass(frozen=True)
class Sigmoid(Objective):
    """The pairwise sigmoid loss of SigLIP (Zhai et al. 2023) as a user may write it, which learns a bias."""

    scalars: ClassVar[dict] = {"bias": -2.0}

    def loss(self, field, compound, scale, bias):
        signs = 2 * torch.eye(len(field), dtype=field.dtype) - 1
        return -F.logsigmoid(signs * (scale * field @ compound.T + bias)).sum() / len(field)


class Case(NamedTuple):
    """How a batch is computed."""

    objective: Objective
    pieces: int  # micro-batches
    batch_norm: bool


def run(folder: Path, devices: int, cases: Mapping[str, Case]) -> dict[str, dict[str, torch.Tensor]]:
    """Loss and gradients by parameter of each case, as the process of rank 0 has them."""
    strategy = "ddp_spawn" if devices > 1 else "auto"
    folder.mkdir(exist_ok=True)
    # Fabric copies arguments of what it launches for each process, which frozen dataclasses do not allow.
    launched = partial(_run_all, folder=folder, cases=cases)
    Fabric(accelerator="cpu", devices=devices, strategy=strategy).launch(launched)
    return {name: torch.load(folder / name, weights_only=True) for name in cases}


def _run_all(fabric, folder, cases):
    torch.set_num_threads(1)
    for name, case in cases.items():
        _run(fabric, folder / name, *case)
    end_process_group(fabric)


def _run(fabric, path, objective, pieces, batch_norm):
    architecture = Architecture(
        ResNet(layers=(1, 1, 1, 1), width=4),
        MLP(2, 16, batch_norm),
        field_inputs=5,
        compound_inputs=32,
        embedding_size=8,
        scalars=objective.scalars,
    )
    with seeded(0):
        levels = torch.randint(20, 200, (PAIRS, 5, 1, 1))
        images = (levels + torch.randint(0, 50, (PAIRS, 5, 40, 44))).to(torch.uint8)
        bits = torch.randint(0, 2, (PAIRS, 32)).float()
        units = torch.randint(0, PAIRS // 2, (PAIRS,))  # some compounds occur several times, over devices too
        plates = torch.arange(PAIRS)[:, None] % 3
        model = PairModel(architecture)
    network, _ = fabric.setup(model, make_optimizer(model, FitConfig()))
    view = Images(crop=36, mean=(130.0,) * 5, std=(60.0,) * 5)
    # Batch statistics play no part: the encoders use running ones, here those of the whole batch, or have none.
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(view(images), bits)
    for norm in norms:
        norm.eval()
    share = PAIRS // fabric.world_size
    pairs = torch.arange(PAIRS)[fabric.global_rank * share :][:share]
    micro_batches = [
        lambda part=part: {
            "field": view.augment(images[part], part.numpy()),
            "compound": bits[part],
            "unit": units[part],
            "plate": plates[part],
        }
        for part in pairs.tensor_split(pieces)
    ]
    loss = backward(fabric, network, objective, micro_batches)
    if fabric.global_rank == 0:
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        torch.save({"loss": loss, **gradients}, path)


def deviation(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Largest deviation of loss and gradients, relative to the norm of each."""
    assert set(found) == set(expected)
    return float(np.max([((found[k] - expected[k]).norm() / expected[k].norm()).item() for k in expected]))

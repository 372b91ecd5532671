"""Loss and gradients of one batch, over devices and micro-batches; spawned processes import this module."""

import numpy as np
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.fit import end_process_group
from cloome_kedro.learning.model import PairModel, make_optimizer, seeded
from cloome_kedro.learning.objectives import make_objective
from cloome_kedro.learning.preprocess import Preprocess
from cloome_kedro.learning.step import backward

PAIRS = 24


def run(path, devices: int, pieces: int, objective: dict, batch_norm: bool) -> dict[str, torch.Tensor]:
    """Loss and gradients by parameter, as the process of rank 0 has them."""
    strategy = "ddp_spawn" if devices > 1 else "auto"
    Fabric(accelerator="cpu", devices=devices, strategy=strategy).launch(_run, path, pieces, objective, batch_norm)
    return torch.load(path, weights_only=True)


def _run(fabric, path, pieces, objective, batch_norm):
    torch.set_num_threads(1)
    with seeded(0):
        levels = torch.randint(20, 200, (PAIRS, 5, 1, 1))
        images = (levels + torch.randint(0, 50, (PAIRS, 5, 40, 44))).to(torch.uint8)
        bits = torch.randint(0, 2, (PAIRS, 32)).float()
        model = PairModel(
            ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(2, 16, batch_norm), 32, 8
        )
    config = FitConfig(**objective)
    network, _ = fabric.setup(model, make_optimizer(model, config))
    preprocess = Preprocess(crop=36, mean=(130.0,) * 5, std=(60.0,) * 5)
    # Batch statistics play no part: the encoders use running ones, here those of the whole batch, or have none.
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(preprocess(images), bits)
    for norm in norms:
        norm.eval()
    share = PAIRS // fabric.world_size
    own = torch.arange(PAIRS)[fabric.global_rank * share :][:share]
    micro_batches = [
        lambda part=part: (preprocess.augment(images[part], part.tolist()), bits[part])
        for part in own.tensor_split(pieces)
    ]
    loss = backward(fabric, network, make_objective(config), micro_batches)
    if fabric.global_rank == 0:
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        torch.save({"loss": loss, **gradients}, path)
        del gradients
    del network, model, loss, micro_batches
    end_process_group(fabric)


def deviation(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Largest deviation of loss and gradients, relative to the norm of each."""
    assert set(found) == set(expected)
    return float(np.max([((found[k] - expected[k]).norm() / expected[k].norm()).item() for k in expected]))

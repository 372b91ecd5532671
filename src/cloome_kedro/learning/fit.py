"""The contrastive fit: one short loop on lightning-fabric."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from tqdm import tqdm

from cloome_kedro.learning.batches import PairBatches, ReadFields, epoch_batches, one_field_per_unit, prefetch
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.embed import embed_images, embed_structures
from cloome_kedro.learning.model import PairModel, parameter_groups
from cloome_kedro.learning.objectives import make_objective
from cloome_kedro.learning.preprocess import Preprocess
from cloome_kedro.learning.schedules import warmup_cosine_restarts

logger = logging.getLogger(__name__)

#: (image embeddings, structure embeddings), row i of both a pair -> named metrics, "top1" among them
Validate = Callable[[np.ndarray, np.ndarray], dict[str, float]]


def fit(
    model: PairModel,
    read: ReadFields,
    structures: np.ndarray,
    fingerprints: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    preprocess: Preprocess,
    config: FitConfig,
    seed: int,
    validate: Validate,
    units: np.ndarray | None = None,
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Train ``model`` in place and return its best state.

    The best epoch is the one with the highest validation ``top1`` on one seeded field per validation compound, of
    equals the one with the lower validation loss; the last epoch where there are fewer than two such compounds.

    Parameters
    ----------
    model : PairModel
        A fresh model.
    read : callable
        Positions of fields -> (B, C, H, W) uint8; called from threads.
    structures : (fields,) int
        Row of ``fingerprints`` of each field.
    fingerprints : (compounds, bits / 8) uint8
        Packed by ``numpy.packbits``.
    train, validation : (n,) int
        Positions of fields; no others are read.
    preprocess : Preprocess
        From uint8 to the encoder's input.
    config : FitConfig
        Objective, optimiser, schedule and length.
    seed : int
        All randomness comes from it; on a CPU equal arguments give equal weights.
    validate : callable
        (image embeddings, structure embeddings), row i of both a pair -> metrics, ``top1`` among them.
    units : (fields,) int, optional
        What a batch holds once where ``config.unique_compounds``; the structures by default.

    Returns
    -------
    dict, list of dict
        The best state dict, on the CPU, and one row an epoch: losses, ``validation_<metric>``, inverse temperature,
        learning rate, fields/s of training, share of its time spent waiting for data, and which epoch is best.

    Raises
    ------
    ValueError
        Where fewer than two units are there to train on.
    FloatingPointError
        At the first loss that is not finite, with step and learning rate, or validation embedding that is not.
    """
    units = structures if units is None else units
    _check(units[train], config)
    fabric = Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
    model.to(memory_format=torch.channels_last)
    groups = parameter_groups(model, config.weight_decay, config.decay_rule)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
    network, optimizer = fabric.setup(model, optimizer)
    objective = make_objective(config)
    load = PairBatches(read, structures, fingerprints, pin=fabric.device.type == "cuda")
    held_out = validation[one_field_per_unit(structures[validation], np.random.default_rng([seed, 1]))]

    def draw(epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([seed, 2, epoch])
        return [train[b] for b in epoch_batches(units[train], config.batch_size, config.unique_compounds, rng)]

    steps = len(draw(0))
    total = config.epochs * steps
    if config.warmup_steps >= total:
        logger.warning("the warm-up of %d steps is not over when training ends at %d", config.warmup_steps, total)
    history: list[dict[str, Any]] = []
    best: tuple[float, float] | None = None
    state: dict[str, torch.Tensor] = {}
    with tqdm(total=total, desc="training", unit="step") as bar:
        for epoch in range(config.epochs):
            network.train()
            losses, fields, waiting, begin = [], 0, 0.0, time.perf_counter()
            batches = _timed(prefetch(load, draw(epoch)))
            for step, (waited, (images, bits)) in enumerate(batches, start=epoch * steps):
                rate = config.learning_rate * warmup_cosine_restarts(step, config.warmup_steps, total, config.cycles)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                images = preprocess.augment(images.to(fabric.device, non_blocking=True), _seed(seed, step))
                loss = objective(*network(images, bits.to(fabric.device, non_blocking=True).float()))
                losses.append(loss.item())
                if not math.isfinite(losses[-1]):
                    raise FloatingPointError(
                        f"the loss is {losses[-1]} at step {step} (epoch {epoch}), learning rate {rate:.3g}: "
                        "lower the learning rate or lengthen the warm-up"
                    )
                optimizer.zero_grad()
                fabric.backward(loss)
                optimizer.step()
                model.clamp_temperature()
                waiting += waited
                fields += len(images)
                speed = fields / (time.perf_counter() - begin)
                bar.set_postfix({"loss": f"{losses[-1]:.3f}", "fields/s": f"{speed:.0f}", **_shown(history)}, False)
                bar.update()
            elapsed = time.perf_counter() - begin
            row = {
                "epoch": epoch,
                "step": (epoch + 1) * steps,
                "train_loss": float(np.mean(losses)),
                **_validation(fabric, model, load, held_out, preprocess, config, objective, validate),
                "inverse_temperature": model.logit_inv_tau.exp().item(),
                "learning_rate": rate,
                "fields_per_second": fields / elapsed,
                "waiting_fraction": waiting / elapsed,
                "best": False,
            }
            history.append(row)
            score = (row["validation_top1"], -row["validation_loss"])
            if best is None or len(held_out) < 2 or score > best:
                best, best_epoch = score, epoch
                state = {name: tensor.to("cpu", copy=True) for name, tensor in model.state_dict().items()}
    history[best_epoch]["best"] = True
    return state, history


def _check(units: np.ndarray, config: FitConfig) -> None:
    found = len(np.unique(units)) if config.unique_compounds else len(units)
    if found < 2:
        raise ValueError(f"contrastive training needs two compounds with fields in the training fold, found {found}")


def _seed(seed: int, step: int) -> int:
    """A seed of its own for the augmentation of every step."""
    return int(np.random.SeedSequence([seed, 3, step]).generate_state(1)[0])


def _timed(batches: Iterator) -> Iterator:
    """Pairs of the seconds waited for a batch, and the batch."""
    while True:
        begin = time.perf_counter()
        try:
            batch = next(batches)
        except StopIteration:
            return
        yield time.perf_counter() - begin, batch


def _shown(history: list[dict]) -> dict[str, str]:
    top1 = history[-1].get("validation_top1") if history else None
    return {} if top1 is None else {"val_top1": f"{top1:.3f}"}


def _validation(
    fabric: Fabric,
    model: PairModel,
    load: PairBatches,
    fields: np.ndarray,
    preprocess: Preprocess,
    config: FitConfig,
    objective: nn.Module,
    validate: Validate,
) -> dict[str, float]:
    """Metrics of the full pool of ``fields`` and the mean loss over batches of them; nothing for fewer than two."""
    if len(fields) < 2:
        return {"validation_loss": math.nan, "validation_top1": math.nan}
    size = config.batch_size
    codes = load.fingerprints[load.structures[fields]]
    with fabric.autocast():
        images = embed_images(model, load.read, fields, preprocess, size, fabric.device, progress=False)
        structures = embed_structures(model, codes, size, fabric.device, progress=False)
    if not (np.isfinite(images).all() and np.isfinite(structures).all()):
        raise FloatingPointError(
            "embeddings of validation fields are not finite: lower the learning rate or lengthen the warm-up"
        )
    inverse_temperature = model.logit_inv_tau.exp().item()
    losses = [
        objective(torch.from_numpy(images[chunk]), torch.from_numpy(structures[chunk]), inverse_temperature).item()
        for chunk in np.array_split(np.arange(len(fields)), max(1, len(fields) // size))
    ]
    metrics = validate(images, structures)
    return {"validation_loss": float(np.mean(losses)), **{f"validation_{k}": v for k, v in metrics.items()}}

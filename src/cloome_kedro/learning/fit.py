"""The contrastive fit: what a training takes and leaves; the loop is in :mod:`cloome_kedro.learning.loop`."""

import gc
import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.loop import Recipe, Training
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation

logger = logging.getLogger(__name__)

_FORMAT = 2  # raise it when equal arguments come to give other weights
#: these do not change what is learnt
_HOUSEKEEPING = ("checkpoint_minutes", "checkpoint_steps", "strategy")


@dataclass(frozen=True)
class Best:
    """The model of one epoch: number of the epoch, from 0, and state dict on the CPU."""

    epoch: int
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True)
class FitResult:
    """What a training has found.

    Attributes
    ----------
    best
        The best epoch by each metric of ``FitConfig.keep``.
    history
        One row per epoch: epoch, step, train_loss, validation_loss, validation_<metric>, inverse_temperature,
        learning_rate, gradient_norm (mean, before clipping), fields_per_second and waiting_fraction (share of the time
        of training that was spent waiting for data).
    stopped
        Whether ``Validation.report`` ended training before its last epoch.
    """

    best: dict[str, Best]
    history: list[dict[str, Any]]
    stopped: bool = False


def fit(
    model: PairModel,
    data: PairData,
    recipe: Recipe,
    validation: Validation,
    state: FitState,
    progress: bool = True,
) -> FitResult:
    """Train ``model``, or go on where a training of equal arguments stopped, or return what one that ended has found.

    On a CPU and one device equal arguments give equal bits, interrupted or not. SIGTERM and SIGINT save first.

    Parameters
    ----------
    model : PairModel
        Fresh.
    data : PairData
        Fields and compounds, and which of them train and validate.
    recipe : Recipe
        Objective, settings and seed.
    validation : Validation
        What is measured after every epoch. The epoch with the highest value is kept, of equals the one with the lower
        validation loss; without two validation pairs the last. A training that ``validation.report`` has ended counts
        as ended where a report is given again, and begins again where none is.
    state : FitState
        Where the training keeps its state.
    progress : bool
        Whether there is a progress bar.

    Raises
    ------
    ValueError
        Where there are fewer than two units for each device to train on, or a metric to keep by is unknown or not a
        number.
    FloatingPointError
        At the first loss or gradient that is not finite. Step, learning rate and the batch's fields are then in the
        state's ``failure.json``, and its last saved state stays. Also where validation embeddings are not finite.
    """
    config = recipe.config
    found = len(np.unique(data.trained_units)) if config.unique_compounds else len(data.train)
    if found < (needed := 2 * config.devices):
        raise ValueError(
            f"contrastive training on {config.devices} device(s) needs {needed} compounds with fields in the training "
            f"fold, found {found}"
        )
    digest = _digest(model, data, recipe, validation)
    results = state.finished(digest)
    if results is not None and results.get("stopped") and validation.report is None:
        results = None  # it was ended early for a search; the caller wants it in full
    if results is None:
        _check_metrics(validation, config, model.embedding_size)
        fabric = Fabric(
            accelerator=config.accelerator,
            strategy="ddp_spawn" if config.devices > 1 else config.strategy,
            devices=config.devices,
            precision=config.precision,
        )
        # Fabric replaces what it launches with by a copy for each process. Only the model may be such an argument.
        train = partial(
            _train, data=data, recipe=recipe, validation=validation, state=state, digest=digest, progress=progress
        )
        fabric.launch(train, model)
        results = state.finished(digest)
        if results is None:
            raise RuntimeError("a process of the training was stopped; run it again to go on from its last state")
    else:
        logger.info("this training has ended before; to repeat it, delete %s", state.folder)
        if validation.report is not None:
            for row in results["history"]:
                validation.report(row)
    best = {metric: Best(model["epoch"], model["tensors"]) for metric, model in results["best"].items()}
    return FitResult(best, results["history"], results.get("stopped", False))


def _train(fabric: Fabric, model: PairModel, **arguments: Any) -> None:
    Training(fabric, model, **arguments).run()
    end_process_group(fabric)


def end_process_group(fabric: Fabric) -> None:
    """Last call in a launched process: threads of the group can abort the interpreter if they are left to its end."""
    if fabric.world_size > 1:
        gc.collect()
        torch.distributed.destroy_process_group()


def _check_metrics(validation: Validation, config: FitConfig, size: int) -> None:
    """Find an unknown metric before the first epoch rather than after it: ask for those of two pairs."""
    measured = validation.measure(*[np.eye(2, size, dtype=np.float32)] * 2)
    known = ["loss", *measured, *(task.name for task in validation.tasks)]
    for metric in config.keep:
        if metric not in known:
            raise ValueError(f"fit.keep: there is no validation metric {metric!r}, only {', '.join(known)}")


def _digest(model: PairModel, data: PairData, recipe: Recipe, validation: Validation) -> str:
    """Of all that the result depends on, the first 16 hex digits."""
    settings = {key: value for key, value in asdict(recipe.config).items() if key not in _HOUSEKEEPING}
    described = [
        *(_FORMAT, torch.__version__, settings, recipe.seed, repr(recipe.objective), recipe.identity),
        # Two architectures can have tensors of the same names and shapes.
        *(repr(model), repr(model.architecture)),
        *(repr(side.view) + side.identity for side in (data.field, data.compound)),
    ]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for array in (data.train, data.validation, data.units):
        digest.update(repr((array.dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    for task in validation.tasks:
        digest.update(f"task {task.name} {len(task.fields)}".encode())
        digest.update(np.ascontiguousarray(task.fields, np.int64).data)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]

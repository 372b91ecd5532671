"""The contrastive fit: what a training takes and leaves; the loop is in :mod:`cloome_kedro.learning.loop`."""

import gc
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.loop import Training
from cloome_kedro.learning.model import ContrastiveModel
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Report, TaskMetric, Validate

logger = logging.getLogger(__name__)

_FORMAT = 1  # raise it when equal arguments come to give other weights
#: these do not change what is learnt
_HOUSEKEEPING = ("checkpoint_minutes", "checkpoint_steps", "strategy")


@dataclass(frozen=True)
class Best:
    """The model of one epoch: number of the epoch, from 0, and state dict on the CPU."""

    epoch: int
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True)
class FitResult:
    """The best epoch by each metric of ``FitConfig.keep``, and one row an epoch.

    Rows hold epoch, step, train_loss, validation_loss, validation_<metric>, inverse_temperature, learning_rate,
    gradient_norm (mean, before clipping), fields_per_second and waiting_fraction (share of the time of training spent
    waiting for data). ``stopped``: training was ended by ``report``, before its last epoch.
    """

    best: dict[str, Best]
    history: list[dict[str, Any]]
    stopped: bool = False


def fit(
    model: ContrastiveModel,
    data: PairData,
    preprocess: Any,
    config: FitConfig,
    seed: int,
    validate: Validate,
    state: FitState,
    identity: str = "",
    tasks: Sequence[TaskMetric] = (),
    report: Report | None = None,
    progress: bool = True,
) -> FitResult:
    """Train ``model``, or go on where a training of equal arguments stopped, or return what one that ended has found.

    On a CPU and one device equal arguments give equal bits, interrupted or not. SIGTERM and SIGINT save first.

    Parameters
    ----------
    model : ContrastiveModel
        Fresh.
    data : PairData
        Fields, structures, and who trains and validates.
    preprocess : object
        From what ``data.read`` gives to the model's input: called for evaluation, ``augment(images, seeds)`` for
        training, see :class:`cloome_kedro.learning.preprocess.Preprocess`.
    config : FitConfig
        Objective, optimiser, schedule, length and devices.
    seed : int
        All randomness comes from it.
    validate : callable
        (image embeddings, structure embeddings), row i of both a pair -> metrics, those of ``config.keep`` among them.
        The epoch with the highest value is kept, of equals the one with the lower validation loss; without two
        validation fields the last.
    state : FitState
        Where the training keeps its state.
    identity : str
        Tells what ``data.read`` reads, and what ``tasks`` score by: without it, images or labels that changed under
        equal arguments would not be noticed.
    tasks : sequence of TaskMetric
        Measured after every epoch beside ``validate``; ``config.keep`` can name them.
    report : callable
        Given every row of the history as soon as it is there, after an interruption those before it once more; true
        ends training after that epoch. With several devices it is pickled, and called in the process of the first. A
        training that it has ended counts as ended where a ``report`` is given again, and begins anew where none is.
    progress : bool
        Whether there is a progress bar.

    Raises
    ------
    ValueError
        Where fewer than two units a device are there to train on, or a metric to keep by is unknown
        or not a number.
    FloatingPointError
        At the first loss or gradient that is not finite; step, learning rate and the batch's fields are in the state's
        ``failure.json``, its last saved state stays. Also where validation embeddings are not finite.
    """
    found = len(np.unique(data.trained_units)) if config.unique_compounds else len(data.train)
    if found < (needed := 2 * config.devices):
        raise ValueError(
            f"contrastive training on {config.devices} device(s) needs {needed} compounds with fields in the training "
            f"fold, found {found}"
        )
    digest = _digest(model, data, preprocess, config, seed, identity, tasks)
    results = state.finished(digest)
    if results is not None and results.get("stopped") and report is None:
        results = None  # nobody wishes it to be shorter than it is to be
    if results is None:
        _check_metrics(validate, config.keep, model.embedding_size, tasks)
        fabric = Fabric(
            accelerator=config.accelerator,
            strategy="ddp_spawn" if config.devices > 1 else config.strategy,
            devices=config.devices,
            precision=config.precision,
        )
        # Fabric goes into what it launches with, to give each process a model of its own; the rest it must not touch.
        train = partial(
            _train,
            data=data,
            preprocess=preprocess,
            config=config,
            seed=seed,
            validate=validate,
            state=state,
            digest=digest,
            tasks=tasks,
            report=report,
            progress=progress,
        )
        fabric.launch(train, model)
        results = state.finished(digest)
        if results is None:
            raise RuntimeError("a process of the training was stopped; run it again to go on from its last state")
    else:
        logger.info("this training has ended before; to repeat it, delete %s", state.folder)
        if report is not None:
            for row in results["history"]:
                report(row)
    best = {metric: Best(model["epoch"], model["tensors"]) for metric, model in results["best"].items()}
    return FitResult(best, results["history"], results.get("stopped", False))


def _train(fabric: Fabric, model: ContrastiveModel, **arguments) -> None:
    Training(fabric, model, **arguments).run()
    end_process_group(fabric)


def end_process_group(fabric: Fabric) -> None:
    """Last call in a launched process: left to the interpreter's end, threads of the group now and then abort it."""
    if fabric.world_size > 1:
        gc.collect()
        torch.distributed.destroy_process_group()


def _check_metrics(validate: Validate, keep: tuple[str, ...], size: int, tasks: Sequence[TaskMetric]) -> None:
    """Find an unknown metric before the first epoch rather than after it: ask for those of two pairs."""
    known = ["loss", *validate(*[np.eye(2, size, dtype=np.float32)] * 2), *(task.name for task in tasks)]
    for metric in keep:
        if metric not in known:
            raise ValueError(f"fit.keep: there is no validation metric {metric!r}, only {', '.join(known)}")


def _digest(
    model: ContrastiveModel,
    data: PairData,
    preprocess: Any,
    config: FitConfig,
    seed: int,
    identity: str,
    tasks: Sequence[TaskMetric] = (),
) -> str:
    """Of all that the result depends on, the first 16 hex digits."""
    settings = {key: value for key, value in asdict(config).items() if key not in _HOUSEKEEPING}
    # Two architectures can have tensors of the same names and shapes.
    described = [_FORMAT, torch.__version__, settings, repr(model), repr(preprocess), seed, identity]
    text = json.dumps(described, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    units = data.structures if data.units is None else data.units
    for array in (data.structures, data.fingerprints, data.train, data.validation, units):
        digest.update(repr((array.dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    for task in tasks:
        digest.update(f"task {task.name} {len(task.fields)}".encode())
        digest.update(np.ascontiguousarray(task.fields, np.int64).data)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]

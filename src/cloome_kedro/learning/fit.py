"""The fit of a model: its arguments and results. The training loop is in :mod:`cloome_kedro.learning.loop`."""

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
from cloome_kedro.learning.features import FeatureLoss
from cloome_kedro.learning.loop import Model, Recipe, Training
from cloome_kedro.learning.processes import launch, team
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation

logger = logging.getLogger(__name__)

_FORMAT = 2  # increase it when a change of the code changes the weights that equal arguments give
#: settings that do not change the result
_HOUSEKEEPING = ("checkpoint_minutes", "checkpoint_steps", "strategy")


@dataclass(frozen=True)
class Best:
    """The model of the best epoch: number of the epoch, from 0, and state dict on the CPU."""

    epoch: int
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True)
class FitResult:
    """Result of a training.

    Attributes
    ----------
    best
        Metric of ``FitConfig.keep`` -> model of the best epoch by this metric.
    history
        One row per epoch: epoch, step, train_loss, validation_loss, validation_<metric>, inverse_temperature (of a pair
        model), learning_rate, gradient_norm (mean, before clipping), fields_per_second and waiting_fraction (share of
        the training time that was spent waiting for data). If features are predicted, also their mean squared error,
        train_target_mse and validation_target_mse.
    stopped
        Whether ``Validation.report`` ended the training before its last epoch.
    reused
        Whether the training was already finished.
    data_hash
        Hash of what the model learned from: the inputs of fields and compounds, and the pairs. 16 hex digits.
    """

    best: dict[str, Best]
    history: list[dict[str, Any]]
    stopped: bool = False
    reused: bool = False
    data_hash: str = ""


def fit(
    model: Model,
    data: PairData,
    recipe: Recipe,
    validation: Validation,
    state: FitState,
    progress: bool = True,
) -> FitResult:
    """Train ``model``.

    If a training with equal arguments was interrupted, it continues. If it is finished, its result is returned. On a
    CPU with one device, equal arguments give bit by bit equal weights, also after interruptions. SIGTERM and SIGINT
    save the state before they end the training.

    Parameters
    ----------
    model : PairModel or FeatureModel
        With its initial weights.
    data : PairData
        Pairs of fields and compounds, and which of them train and validate.
    recipe : Recipe
        Objective, settings and seed. :class:`cloome_kedro.learning.features.FeatureLoss` predicts features.
    validation : Validation
        What is measured after every epoch. The epoch with the highest value of a metric is kept. If values are equal,
        the epoch with the lower validation loss is kept. With fewer than two validation pairs the last epoch is kept.
        If ``validation.report`` ended a training early, this training is finished for calls with a report. A call
        without a report repeats it in full.
    state : FitState
        Where the training saves its state.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If the training fold has fewer than two units per device, ``nodes`` and ``devices`` do not fit the processes of
        torchrun, a metric in ``keep`` is unknown or not a number, or the objective cannot be computed with these
        settings or data.
    FloatingPointError
        Soon after the first loss or gradient that is not finite. ``failure.json`` in the folder of the state then
        gives the step, the learning rate and the fields of the batch. The last saved state is kept; it is from before
        this step. It is also raised if embeddings of the validation fold are not finite.
    """
    config = recipe.config
    if config.unique_compounds:
        unit, available = "compounds (or treatments)", len(np.unique(data.trained_units))
    else:
        unit, available = "fields", len(data.train)
    if available < (needed := 2 * config.processes):
        raise ValueError(
            f"training on {config.processes} device(s) needs at least {needed} {unit} in the training fold, "
            f"but there are {available}"
        )
    objective = recipe.objective.objective if isinstance(recipe.objective, FeatureLoss) else recipe.objective
    if objective is not None:
        objective.check_fit(config)
        objective.check_data(data)
    digest = _digest(model, data, recipe, validation)
    results = state.finished(digest)
    if results is not None and results.get("stopped") and validation.report is None:
        results = None  # a search ended this training early, but this caller needs all epochs
    reused = results is not None
    if results is None:
        _refuse_earlier(state, digest, _digest(model, data, recipe, validation, versions_of_views=False))
        _check_metrics(validation, config, model.embedding_size)
        # Fabric copies the arguments of `launch` for each process. Only the model may be copied.
        train = partial(
            _train, data=data, recipe=recipe, validation=validation, state=state, digest=digest, progress=progress
        )
        launch(config, train, model)
        results = state.finished(digest)
        if results is None:
            raise RuntimeError(
                "a process of the training was stopped before the end: run the same command again to continue from the "
                "last saved state"
            )
    else:
        logger.info("this training is already finished, its results are used; to repeat it, delete %s", state.folder)
        if validation.report is not None:
            for row in results["history"]:
                validation.report(row)
    best = {metric: Best(model["epoch"], model["tensors"]) for metric, model in results["best"].items()}
    stopped = results.get("stopped", False)
    return FitResult(best, results["history"], stopped, reused, _data_digest(data))


def _train(fabric: Fabric, model: Model, **arguments: Any) -> None:
    Training(fabric, model, **arguments).run()
    if team() is None:
        end_process_group(fabric)


def end_process_group(fabric: Fabric) -> None:
    """End the process group, as the last call of a launched process: at exit its threads can abort the interpreter."""
    if fabric.world_size > 1:
        gc.collect()
        torch.distributed.destroy_process_group()


def _refuse_earlier(state: FitState, digest: str, earlier: str) -> None:
    """Say that files of an earlier version of the program, which drew other random crops, are not used."""
    for path in state.files(earlier) if earlier != digest and not state.files(digest) else ():
        logger.warning(
            "%s is of an earlier version, which drew other random crops. It is not used: the training starts from the "
            "beginning. It can be deleted",
            path,
        )


def _check_metrics(validation: Validation, config: FitConfig, size: int) -> None:
    """Refuse an unknown metric before the first epoch: measure two made-up pairs to learn the names."""
    measured = validation.measure(*[np.eye(2, size, dtype=np.float32)] * 2)
    known = ["loss", *measured, *(task.name for task in validation.tasks)]
    for metric in config.keep:
        if metric not in known:
            raise ValueError(f"fit.keep: there is no validation metric {metric!r}; choose from {', '.join(known)}")


def _digest(
    model: Model, data: PairData, recipe: Recipe, validation: Validation, *, versions_of_views: bool = True
) -> str:
    """Hash everything that the result depends on: the first 16 hex digits."""
    versions = {name: side.view.version if versions_of_views else 0 for name, side in data.sides.items()}
    settings = {key: value for key, value in asdict(recipe.config).items() if key not in _HOUSEKEEPING}
    settings["devices"] *= settings.pop("nodes")  # two machines with a device each train like one with two devices
    if settings["block_rows"] is None:  # as before there were blocks
        del settings["block_rows"], settings["open_blocks"]
    described = [
        *(_FORMAT, torch.__version__, settings, recipe.seed, repr(recipe.objective), recipe.identity),
        # Different architectures can have tensors with the same names and shapes.
        *(repr(model), repr(model.architecture)),
        *(repr(side.view) + side.rows.identity for side in data.sides.values()),
        *(f"version {version} of the view {name}" for name, version in versions.items() if version),
    ]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    _add_arrays(digest, data)
    for task in validation.tasks:
        digest.update(f"task {task.name} {len(task.fields)}".encode())
        digest.update(np.ascontiguousarray(task.fields, np.int64).data)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _data_digest(data: PairData) -> str:
    """Hash what a model learns from: the identities of the inputs, and the pairs."""
    digest = hashlib.sha256("\n".join(side.rows.identity for side in data.sides.values()).encode())
    _add_arrays(digest, data)
    return digest.hexdigest()[:16]


def _add_arrays(digest, data: PairData) -> None:
    arrays = [data.train, data.validation, data.units]
    for array in (*arrays, *(codes for codes in (data.plates, data.compounds) if codes is not None)):
        digest.update(repr((array.dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)

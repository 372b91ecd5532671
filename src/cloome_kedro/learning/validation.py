"""Loss and metrics of the validation fold, measured after every epoch of a training."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.base import Objective

logger = logging.getLogger(__name__)

#: (embeddings of fields, embeddings of compounds) -> metrics by name, higher is better; row i of both is a pair
Measure = Callable[[np.ndarray, np.ndarray], dict[str, float]]

#: row of the history of an epoch -> whether training ends after this epoch
Report = Callable[[dict[str, Any]], bool]


class TaskMetric(NamedTuple):
    """A validation metric that needs only embeddings of fields.

    Attributes
    ----------
    name
        Name of the metric. Its column in the history is ``validation_<name>``.
    fields
        (n,) int positions of the fields that it needs; none shows a test compound.
    score
        Embeddings of these fields (n, d), in the same order -> metric, higher is better. It is pickled if several
        devices train.
    """

    name: str
    fields: np.ndarray
    score: Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Validation:
    """What is measured after every epoch.

    Attributes
    ----------
    measure
        Measures metrics of the validation pairs.
    tasks
        Further metrics. ``FitConfig.keep`` can name all metrics.
    report
        It is called with every row of the history, and after an interruption also with the earlier rows again. If it
        returns true, training ends after this epoch. With several devices it is pickled, and called in the process of
        the first device.
    """

    measure: Measure
    tasks: Sequence[TaskMetric] = ()
    report: Report | None = None


_COLLAPSED = 1e-3  # smallest allowed ratio of the variance of embeddings to their mean squared length


def validation_row(
    fabric: Fabric,
    model: PairModel,
    data: PairData,
    objective: Objective,
    config: FitConfig,
    validation: Validation,
) -> dict[str, float]:
    """Measure the mean loss over batches of validation pairs, and all metrics.

    Every field is embedded once, also if several metrics need it. With fewer than two validation pairs, the loss is NaN
    and there are no metrics. A warning is logged if all embeddings are nearly the same.

    Returns
    -------
    dict of str to float
        ``validation_loss`` and ``validation_<metric>``.

    Raises
    ------
    FloatingPointError
        If an embedding is not finite.
    """
    pairs, tasks = data.validation, validation.tasks
    if len(pairs) < 2:
        return {"validation_loss": math.nan}
    # A batch of the size that a device holds in training fits into its memory.
    embed = Embedder(
        model, config.micro_batch_size or config.batch_size // config.devices, fabric.device, progress=False
    )
    with fabric.autocast():
        # Fields of validation pairs come first, so that their batches do not depend on the tasks.
        only_tasks = np.setdiff1d(np.concatenate([task.fields for task in tasks]), pairs) if tasks else pairs[:0]
        positions = np.concatenate([pairs, only_tasks])
        vectors = embed("field", data.field.rows.read, positions, data.field.view, context=data.field.rows.context)
        compounds = embed(
            "compound", data.compound.rows.read, pairs, data.compound.view, context=data.compound.rows.context
        )
    fields = vectors[: len(pairs)]
    _check_finite("field", vectors)
    _check_finite("compound", compounds)
    _warn_of_collapse("field", fields)
    _warn_of_collapse("compound", compounds)
    scalars = {name: scalar.detach().cpu() for name, scalar in model.scalars().items()}
    losses = [
        objective({"field": torch.from_numpy(fields[part]), "compound": torch.from_numpy(compounds[part]), **scalars})
        for part in np.array_split(np.arange(len(pairs)), max(1, len(pairs) // config.batch_size))
    ]
    metrics = validation.measure(fields, compounds)
    order = np.argsort(positions)
    for task in tasks:
        rows = order[np.searchsorted(positions, task.fields, sorter=order)]
        metrics = metrics | {task.name: task.score(vectors[rows])}
    loss = float(np.mean([loss.item() for loss in losses]))
    return {"validation_loss": loss, **{f"validation_{name}": float(value) for name, value in metrics.items()}}


def _check_finite(side: str, vectors: np.ndarray) -> None:
    if not np.isfinite(vectors).all():
        raise FloatingPointError(
            f"{side} embeddings of the validation fold are not finite: lower the learning rate or lengthen the warm-up"
        )


def _warn_of_collapse(side: str, vectors: np.ndarray) -> None:
    if vectors.var(axis=0).sum() < _COLLAPSED * np.square(vectors).sum(axis=1).mean():
        logger.warning(
            "%s embeddings have collapsed: all embeddings of the validation fold are nearly the same; check the "
            "learning rate, the warm-up and the normalisation",
            side,
        )

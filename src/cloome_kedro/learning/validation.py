"""What a training measures on its validation fields after an epoch."""

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

#: (embeddings of fields, embeddings of compounds), row i of both a pair -> named metrics, the higher the better
Measure = Callable[[np.ndarray, np.ndarray], dict[str, float]]

#: one row of the history -> whether training ends there
Report = Callable[[dict[str, Any]], bool]


class TaskMetric(NamedTuple):
    """A validation metric of embeddings of fields alone.

    Attributes
    ----------
    name
        Under which it is measured, after ``validation_`` in the history.
    fields
        (n,) int positions of the fields that it needs, none of a test compound.
    score
        Their embeddings (n, d), in that order -> metric, the higher the better; pickled where several devices train.
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
        Of the validation pairs.
    tasks
        Measured beside it; ``FitConfig.keep`` can name them, too.
    report
        Is given every row of the history as soon as it is there, after an interruption the earlier rows once more. If
        it returns true, training ends after that epoch. With several devices it is pickled, and called in the process
        of the first.
    """

    measure: Measure
    tasks: Sequence[TaskMetric] = ()
    report: Report | None = None


_COLLAPSED = 1e-3  # share of the embeddings' mean squared length that is variance


def validation_row(
    fabric: Fabric,
    model: PairModel,
    data: PairData,
    objective: Objective,
    config: FitConfig,
    validation: Validation,
) -> dict[str, float]:
    """Mean loss over batches of the validation pairs, and the metrics of all of them; no metrics for fewer than two.

    Every field that a metric needs is embedded once.

    Warns of embeddings that are nearly one point. Raises FloatingPointError where embeddings are not finite.
    """
    pairs, tasks = data.validation, validation.tasks
    if len(pairs) < 2:
        return {"validation_loss": math.nan}
    held = config.micro_batch_size or config.batch_size // config.devices  # what training holds at a time fits
    embed = Embedder(model, held, fabric.device, progress=False)
    with fabric.autocast():
        # Validation fields come first, so that tasks do not change the batches that they are in.
        others = np.setdiff1d(np.concatenate([task.fields for task in tasks]), pairs) if tasks else pairs[:0]
        embedded = np.concatenate([pairs, others])
        vectors = embed("field", data.field.read, embedded, data.field.view)
        compounds = embed("compound", data.compound.read, pairs, data.compound.view)
    fields = vectors[: len(pairs)]
    _check_embeddings("field", vectors, fields)
    _check_embeddings("compound", compounds, compounds)
    numbers = {name: number.detach().cpu() for name, number in model.numbers().items()}
    losses = [
        objective({"field": torch.from_numpy(fields[part]), "compound": torch.from_numpy(compounds[part]), **numbers})
        for part in np.array_split(np.arange(len(pairs)), max(1, len(pairs) // config.batch_size))
    ]
    metrics = validation.measure(fields, compounds)
    order = np.argsort(embedded)
    for task in tasks:
        of_task = vectors[order[np.searchsorted(embedded, task.fields, sorter=order)]]
        metrics = metrics | {task.name: task.score(of_task)}
    loss = float(np.mean([loss.item() for loss in losses]))
    return {"validation_loss": loss, **{f"validation_{name}": float(value) for name, value in metrics.items()}}


def _check_embeddings(side: str, vectors: np.ndarray, of_pairs: np.ndarray) -> None:
    if not np.isfinite(vectors).all():
        raise FloatingPointError(
            f"{side} embeddings of the validation fold are not finite: lower the learning rate or lengthen the warm-up"
        )
    if of_pairs.var(axis=0).sum() < _COLLAPSED * np.square(of_pairs).sum(axis=1).mean():
        logger.warning(
            "%s embeddings have collapsed: those of the whole validation fold are nearly one point; look at the "
            "learning rate, the warm-up and the normalisation",
            side,
        )

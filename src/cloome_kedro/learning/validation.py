"""What a training measures on its validation fields after an epoch."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.embed import embed_images, embed_structures
from cloome_kedro.learning.model import ContrastiveModel

logger = logging.getLogger(__name__)

#: (image embeddings, structure embeddings), row i of both a pair -> named metrics, the higher the better
Validate = Callable[[np.ndarray, np.ndarray], dict[str, float]]

#: one row of the history -> whether training ends there
Report = Callable[[dict[str, Any]], bool]


class TaskMetric(NamedTuple):
    """A validation metric of image embeddings alone.

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


_COLLAPSED = 1e-3  # share of the embeddings' mean squared length that is variance


def validation_row(
    fabric: Fabric,
    model: ContrastiveModel,
    data: PairData,
    preprocess: Any,
    config: FitConfig,
    objective: nn.Module,
    validate: Validate,
    tasks: Sequence[TaskMetric] = (),
) -> dict[str, float]:
    """Mean loss over batches of the validation fields, and the metrics of all of them; no metrics for fewer than two.

    Every field that a metric needs is embedded once.

    Warns of embeddings that are nearly one point; FloatingPointError where they are not finite.
    """
    fields = data.validation
    if len(fields) < 2:
        return {"validation_loss": math.nan}
    codes = data.fingerprints[data.structures[fields]]
    held = config.micro_batch_size or config.batch_size // config.devices  # what training holds at a time fits
    with fabric.autocast():
        # Validation fields come first, so that tasks do not change the batches that they are in.
        others = np.setdiff1d(np.concatenate([task.fields for task in tasks]), fields) if tasks else fields[:0]
        embedded = np.concatenate([fields, others])
        vectors = embed_images(model, data.read, embedded, preprocess, held, fabric.device, progress=False)
        structures = embed_structures(model, codes, held, fabric.device, progress=False)
    images = vectors[: len(fields)]
    for side, found, shown in (("image", vectors, images), ("structure", structures, structures)):
        if not np.isfinite(found).all():
            raise FloatingPointError(
                f"{side} embeddings of validation fields are not finite: lower the learning rate or lengthen the "
                "warm-up"
            )
        if shown.var(axis=0).sum() < _COLLAPSED * np.square(shown).sum(axis=1).mean():
            logger.warning(
                "%s embeddings have collapsed: those of all validation fields are nearly one point; look at the "
                "learning rate, the warm-up and the normalisation",
                side,
            )
    scale = model.logit_inv_tau.exp().item()
    losses = [
        objective(torch.from_numpy(images[chunk]), torch.from_numpy(structures[chunk]), scale).item()
        for chunk in np.array_split(np.arange(len(fields)), max(1, len(fields) // config.batch_size))
    ]
    metrics = validate(images, structures)
    order = np.argsort(embedded)
    for task in tasks:
        metrics = metrics | {
            task.name: task.score(vectors[order[np.searchsorted(embedded, task.fields, sorter=order)]])
        }
    return {"validation_loss": float(np.mean(losses)), **{f"validation_{k}": float(v) for k, v in metrics.items()}}

"""What a training measures on its validation fields after an epoch."""

import logging
import math
from collections.abc import Callable
from typing import Any

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

_COLLAPSED = 1e-3  # share of the embeddings' mean squared length that is variance


def validation_row(
    fabric: Fabric,
    model: ContrastiveModel,
    data: PairData,
    preprocess: Any,
    config: FitConfig,
    objective: nn.Module,
    validate: Validate,
) -> dict[str, float]:
    """Mean loss over batches of the validation fields, and the metrics of all of them; no metrics for fewer than two.

    Warns of embeddings that are nearly one point; FloatingPointError where they are not finite.
    """
    fields = data.validation
    if len(fields) < 2:
        return {"validation_loss": math.nan}
    codes = data.fingerprints[data.structures[fields]]
    held = config.micro_batch_size or config.batch_size // config.devices  # what training holds at a time fits
    with fabric.autocast():
        images = embed_images(model, data.read, fields, preprocess, held, fabric.device, progress=False)
        structures = embed_structures(model, codes, held, fabric.device, progress=False)
    for side, vectors in (("image", images), ("structure", structures)):
        if not np.isfinite(vectors).all():
            raise FloatingPointError(
                f"{side} embeddings of validation fields are not finite: lower the learning rate or lengthen the "
                "warm-up"
            )
        if vectors.var(axis=0).sum() < _COLLAPSED * np.square(vectors).sum(axis=1).mean():
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
    return {"validation_loss": float(np.mean(losses)), **{f"validation_{k}": float(v) for k, v in metrics.items()}}

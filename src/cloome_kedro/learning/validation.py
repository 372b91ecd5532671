"""Loss and metrics of the validation fold, measured after every epoch of a training."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.batches import as_tensor
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.features import FeatureLoss, FeatureModel, mean_squared_error
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.step import fixed_sets

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
    weighs_fields
        Whether ``score`` also gets the logits of the fields, (n,), if the pooling of the model is ``attention``.
    """

    name: str
    fields: np.ndarray
    score: Callable[..., float]
    weighs_fields: bool = False


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
    watch
        It is called with the same rows before ``report``, but not for a training that is already finished, and cannot
        end the training.
    """

    measure: Measure
    tasks: Sequence[TaskMetric] = ()
    report: Report | None = None
    watch: Callable[[dict[str, Any]], object] | None = None

    def tell(self, row: dict[str, Any]) -> bool:
        """Pass a row of the history on; return whether the report ends the training."""
        if self.watch is not None:
            self.watch(row)
        return self.report is not None and bool(self.report(row))


_COLLAPSED = 1e-3  # smallest allowed ratio of the variance of embeddings to their mean squared length


def validation_row(
    fabric: Fabric,
    model: PairModel | FeatureModel,
    data: PairData,
    objective: Objective | FeatureLoss,
    config: FitConfig,
    validation: Validation,
) -> dict[str, float]:
    """Measure the mean loss over batches of validation pairs, and all metrics.

    Every field is embedded once, also if several metrics need it. With fewer than two validation pairs, the loss is NaN
    and there are no metrics. A warning is logged if all embeddings are nearly the same.

    Returns
    -------
    dict of str to float
        ``validation_loss`` and ``validation_<metric>``. If the model predicts features, also their mean squared error
        ``validation_target_mse``.

    Raises
    ------
    FloatingPointError
        If an embedding is not finite.
    """
    if len(data.validation) < 2:
        return {"validation_loss": math.nan}
    # A batch of the size that a device holds in training fits into its memory.
    batch_size = config.micro_batch_size or config.batch_size // config.processes
    embed = Embedder(model, batch_size, fabric.device, progress=False)
    loss, metrics = 0.0, dict[str, float]()
    if isinstance(model, PairModel):
        contrastive = objective.objective if isinstance(objective, FeatureLoss) else objective
        assert contrastive is not None
        with fabric.autocast():
            loss, metrics = _contrast(embed, model, data, contrastive, config, validation)
    if isinstance(objective, FeatureLoss):
        with fabric.autocast():
            error = _target_error(embed, data)
        if error is not None:
            metrics["target_mse"] = error
            loss += objective.weight * error
    return {"validation_loss": loss, **{f"validation_{name}": float(value) for name, value in metrics.items()}}


def _contrast(
    embed: Embedder,
    model: PairModel,
    data: PairData,
    objective: Objective,
    config: FitConfig,
    validation: Validation,
) -> tuple[float, dict[str, float]]:
    """Mean contrastive loss over batches of validation pairs, and all metrics."""
    assert data.compound is not None
    pairs, tasks = data.validation, validation.tasks
    # Fields of validation pairs come first, so that their batches do not depend on the tasks.
    only_tasks = np.setdiff1d(np.concatenate([task.fields for task in tasks]), pairs) if tasks else pairs[:0]
    positions = np.concatenate([pairs, only_tasks])
    vectors, logits = embed.fields_with_logits(
        data.field.rows.read, positions, data.field.view, context=data.field.rows.context
    )
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
        objective(
            {"field": torch.from_numpy(fields[part]), "compound": torch.from_numpy(compounds[part]), **scalars}
            | _fixed_sets(objective, data, pairs[part])
        )
        for part in np.array_split(np.arange(len(pairs)), max(1, len(pairs) // config.batch_size))
    ]
    metrics = validation.measure(fields, compounds)
    order = np.argsort(positions)
    for task in tasks:
        rows = order[np.searchsorted(positions, task.fields, sorter=order)]
        weights = (logits[rows],) if task.weighs_fields and logits is not None else ()
        metrics = metrics | {task.name: task.score(vectors[rows], *weights)}
    return float(np.mean([loss.item() for loss in losses])), dict(metrics)


def _fixed_sets(objective: Objective, data: PairData, pairs: np.ndarray) -> dict[str, torch.Tensor]:
    """Give the codes and inputs of these pairs that the objective needs, by name."""
    plates = np.zeros_like(pairs) if data.plates is None else data.plates[pairs]
    inputs = {"unit": torch.from_numpy(data.compound_codes[pairs]), "plate": torch.from_numpy(plates)[:, None]}
    for name, side in data.sides.items():
        if f"{name}_input" in objective.needs:
            context = () if side.rows.context is None else (torch.from_numpy(side.rows.context[pairs]),)
            inputs[name] = side.view(as_tensor(side.rows.read(pairs)), *context)
    return fixed_sets(objective, inputs)


def _target_error(embed: Embedder, data: PairData) -> float | None:
    """Mean squared error of the predicted features of the validation fields that have features; None without any."""
    field, target = data.field, data.target
    assert target is not None
    fields = data.validation[target.rows.known[data.validation]]
    if not len(fields):
        return None
    predicted = embed("target", field.rows.read, fields, field.view, context=field.rows.context)
    if not np.isfinite(predicted).all():
        raise FloatingPointError(
            "predicted features of the validation fold are not finite: lower the learning rate or lengthen the warm-up"
        )
    context = () if target.rows.context is None else (torch.from_numpy(target.rows.context[fields]),)
    measured = target.view(torch.from_numpy(np.asarray(target.rows.read(fields))), *context)
    return mean_squared_error(torch.from_numpy(predicted), measured).item()


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

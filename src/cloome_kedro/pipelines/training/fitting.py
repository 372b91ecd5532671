"""A training on the examples of a split. The pipeline runs it once, a search runs it once per trial."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloome_kedro.parameters import ModelParameters, ProbingParameters
from cloome_kedro.pipelines.training.pretraining import PretrainingData, pretrain_model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Data of a training.

    Attributes
    ----------
    examples, labels : pandas.DataFrame
        Tables of these names. Rows of the test fold are never read.
    probing
        Settings of the validation metric ``probing_auc``.
    sources
        Datasets that the views of the model read, by name.
    pretraining
        Further data of a pre-training; None if the model has none, or if it is already pre-trained.
    """

    examples: Any
    labels: Any
    probing: ProbingParameters
    sources: Mapping[str, Any]
    pretraining: PretrainingData | None = None


def fit_model(
    state,
    data: TrainingData,
    model: ModelParameters,
    seed: int,
    report: Callable[[dict[str, Any]], bool] | None = None,
    progress: bool = True,
    pretrained=None,
    *,
    watch: Callable[[dict[str, Any]], object] | None = None,
):
    """Train on the training fold, and choose epochs on the validation fold.

    Parameters
    ----------
    state : cloome_kedro.learning.state.FitState
        Where the training saves its state.
    report
        As in :class:`cloome_kedro.learning.validation.Validation`.
    progress
        Whether to show progress bars.
    pretrained : dict of str to torch.Tensor
        Tensors of the pre-trained encoder of fields and its head. None: if the model has a pre-training, it is run.
    watch
        As in :class:`cloome_kedro.learning.validation.Validation`.

    Returns
    -------
    result : cloome_kedro.learning.fit.FitResult
        Best models and history. A head that predicts features is left out of the models.
    description : dict
        Description of the model for the config of a checkpoint.

    Raises
    ------
    ValueError
        If the tables do not fit together, or a metric of ``fit.keep`` cannot be measured on them.
    """
    from cloome_kedro.evaluation.retrieval import retrieval_accuracies
    from cloome_kedro.learning.checkpoint import describe
    from cloome_kedro.learning.data import pair_data
    from cloome_kedro.learning.features import FeatureLoss, without_head
    from cloome_kedro.learning.fit import Best, fit
    from cloome_kedro.learning.loop import Recipe
    from cloome_kedro.learning.model import Architecture, PairModel
    from cloome_kedro.learning.seeding import seeded
    from cloome_kedro.learning.start import read_tensors, start_from
    from cloome_kedro.learning.validation import Validation

    # The test fold is removed here, so that nothing below can read it.
    examples = data.examples[data.examples["fold"] != "test"].reset_index(drop=True)
    view_settings = {"field": model.field.view, "compound": model.compound.view}
    weight = model.pretrain.weight if model.pretrain else 0.0
    if model.pretrain and weight:
        view_settings["target"] = model.pretrain.target
    unit = {"compound": "structure_row", "treatment": "treatment"}[model.pair_key]
    pairs, known = pair_data(examples, data.sources, view_settings, seed, unit, progress)
    if not known.all():
        logger.warning(
            "%d of %d fields are left out of training and validation, since the views of the model have no input for "
            "them; the first is %s",
            *((~known).sum(), len(known), examples.loc[~known, "field_id"].iloc[0]),
        )
    views = {name: side.view for name, side in pairs.sides.items()}
    target = views.pop("target", None)
    architecture = Architecture(
        field=model.field.encoder,
        compound=model.compound.encoder,
        field_inputs=views["field"].inputs,
        compound_inputs=views["compound"].inputs,
        embedding_size=model.embedding_size,
        normalise=model.normalise,
        inverse_temperature=model.inverse_temperature,
        learnable_temperature=model.learnable_temperature,
        scalars=model.objective.scalars,
        features=target.inputs if target else 0,
        pooling=model.pooling,
    )
    with seeded(seed):
        network = PairModel(architecture)
    if model.start is not None:
        start_from(network, read_tensors(model.start), model.start)
    if model.pretrain:
        if pretrained is None:
            assert data.pretraining is not None
            result, _ = pretrain_model(data.pretraining, data.examples, data.sources, model, seed, progress)
            pretrained = result.best["loss"].tensors
        start_from(network, pretrained, "the pre-training")
    tasks, identity = _task_metrics(examples, known, data, model, seed)
    result = fit(
        network,
        pairs,
        Recipe(FeatureLoss(weight, model.objective) if weight else model.objective, model.fit, seed, identity),
        Validation(retrieval_accuracies, tasks, report, watch),
        state,
        progress,
    )
    best = {metric: Best(model.epoch, without_head(model.tensors)) for metric, model in result.best.items()}
    return replace(result, best=best), describe(replace(architecture, features=0), views, model.objective, model.fit)


def _task_metrics(examples, known, data: TrainingData, model: ModelParameters, seed: int):
    """Prepare the validation metrics of downstream tasks in ``fit.keep``.

    They are measured on a few fields of each compound, drawn by the seed. A text that identifies their labels is also
    returned.
    """
    import numpy as np

    from cloome_kedro.evaluation.draws import draw_some
    from cloome_kedro.evaluation.validation import ValidationData
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
    from cloome_kedro.learning.validation import TaskMetric

    names = [name for name in model.fit.keep if name in VALIDATION_METRICS]
    if not names:
        return [], ""
    usable = np.flatnonzero(known)
    positions = usable[draw_some(examples.iloc[usable], model.validation_fields, seed)]
    fields, labels = examples.iloc[positions].reset_index(drop=True), data.labels.set_index("inchikey")
    validation_data = ValidationData(fields, labels, data.probing.c_grid, data.probing.level)
    tasks, identities = [], []
    for name in names:
        try:
            metric = VALIDATION_METRICS[name].of(validation_data, seed)
        except ValueError as error:
            raise ValueError(
                f"fit.keep: {name} cannot be measured on the validation fold: {error}. Choose another metric"
            ) from error
        weighs_fields = getattr(metric, "weighs_fields", False)
        tasks.append(TaskMetric(name, positions[metric.fields], metric, weighs_fields))
        identities.append(f"{name} {metric.identity}")
    return tasks, "; ".join(identities)

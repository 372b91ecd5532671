"""Nodes of ``training``: examples in, the best checkpoint and its history out."""

from typing import Any

from cloome_kedro.parameters import ModelParameters, ProbingParameters
from cloome_kedro.pipelines.training.fitting import TrainingData, fit_model
from cloome_kedro.pipelines.training.pretraining import PretrainingData, pretrain_model


def pretrain(
    *,
    fit_states,
    examples,
    fields,
    compound_keys,
    model: ModelParameters,
    seed: int,
    subfolder: str = "-/-",
    run_store=None,
    **sources,
):
    """Pre-train the encoder of fields to predict features; validation and test compounds are never learned from.

    An interrupted pre-training continues. A finished one with equal inputs is not repeated, also for other models.

    Parameters
    ----------
    fit_states : pathlib.Path
        Folder of the states of trainings.
    examples, fields, compound_keys : pandas.DataFrame
        Tables of these names.
    model
        Entry of the model under ``models:``.
    subfolder
        Name of this pre-training in the record of runs: ``<split>/<model>``.
    run_store : cloome_kedro.run_store.RunStore
        Record of runs; None: the pre-training is not recorded.
    sources
        Datasets that the views of the model read.

    Returns
    -------
    pretrained : cloome_kedro.learning.checkpoint.Checkpoint
        Encoder and head of the epoch with the lowest validation loss.
    pretraining_history : pandas.DataFrame
        Table of this name.
    """
    import pandas as pd

    from cloome_kedro.learning.checkpoint import Checkpoint
    from cloome_kedro.run_store import Training, recorded

    sources["fields"] = fields  # a view that scales by controls reads this table
    data = PretrainingData(fit_states, fields, compound_keys)
    with recorded(run_store, Training("pre-training", subfolder, seed, model, examples)) as run:
        result, description = pretrain_model(data, examples, sources, model, seed, watch=run.watch)
        best = result.best["loss"]
        selection = _selection("loss", best.epoch, result.history)
        checkpoint = Checkpoint(description | _facts(examples, seed) | selection, best.tensors)
        run.finish(**_results(result, checkpoint))
    history = pd.DataFrame(result.history)
    return checkpoint, history.assign(best=history["epoch"] == best.epoch)


def train(
    *,
    fit_states,
    examples,
    labels,
    model: ModelParameters,
    probing: ProbingParameters,
    seed: int,
    subfolder: str,
    pretrained=None,
    run_store=None,
    **sources,
):
    """Train on the training fold, and choose epochs on the validation fold; the test fold is never read.

    An interrupted training continues. A finished training with equal inputs is not repeated.

    Parameters
    ----------
    fit_states : pathlib.Path
        Folder of the states of all splits and models.
    subfolder
        Folder of this training below ``fit_states``: ``<split>/<model>``.
    examples, labels : pandas.DataFrame
        Tables of these names.
    model
        Entry of the model under ``models:``.
    probing
        Settings of the validation metric ``probing_auc``.
    pretrained : cloome_kedro.learning.checkpoint.Checkpoint
        Result of the pre-training, if the model has one.
    run_store : cloome_kedro.run_store.RunStore
        Record of runs; None: the training is not recorded.
    sources
        Datasets that the views of the model read.

    Returns
    -------
    checkpoints : dict of str to cloome_kedro.learning.checkpoint.Checkpoint
        Metric of ``fit.keep`` -> model of the best epoch by this metric.
    history : pandas.DataFrame
        Table of this name.
    """
    import pandas as pd

    from cloome_kedro.learning.checkpoint import Checkpoint
    from cloome_kedro.learning.state import FitState
    from cloome_kedro.run_store import Training, recorded

    data = TrainingData(examples, labels, probing, sources)
    tensors = None if pretrained is None else pretrained.tensors
    state = FitState(fit_states / subfolder)
    with recorded(run_store, Training("training", subfolder, seed, model, examples)) as run:
        result, description = fit_model(state, data, model, seed, pretrained=tensors, watch=run.watch)
        common = description | _facts(examples, seed)
        if pretrained is not None:
            common["pretrained"] = {"weights": pretrained.weights, "epoch": pretrained.config["epoch"]}
        checkpoints = {
            metric: Checkpoint(common | _selection(metric, best.epoch, result.history), best.tensors)
            for metric, best in result.best.items()
        }
        run.finish(**_results(result, checkpoints[model.selected_by]))
    history = pd.DataFrame(result.history)
    return checkpoints, history.assign(best=history["epoch"] == result.best[model.selected_by].epoch)


def _facts(examples, seed: int) -> dict[str, Any]:
    """Entries of the config of a checkpoint that all epochs have in common."""
    from cloome_kedro import __version__

    return {"split_hash": str(examples["split_hash"].iloc[0]), "seed": seed, "version": __version__}


def _selection(metric: str, epoch: int, history: list[dict[str, Any]]) -> dict[str, Any]:
    """Entries of the config of the checkpoint of an epoch."""
    import numpy as np

    row = history[epoch]
    measured = {name: value for name, value in row.items() if name.startswith("validation_") and np.isfinite(value)}
    return {"selected_by": metric, "epoch": epoch, "validation": measured}


def _results(result, checkpoint) -> dict[str, Any]:
    """What the record of runs keeps of a training: facts about its best epoch."""
    return {
        "weights": checkpoint.weights,
        "data_hash": result.data_hash,
        "selected_by": checkpoint.config["selected_by"],
        "epoch": checkpoint.config["epoch"],
        "epochs": len(result.history),
        "validation": checkpoint.config["validation"],
        "reused": result.reused,
    }


def select_checkpoint(checkpoints, model: ModelParameters):
    """Return the model of the best epoch by the metric ``selected_by``."""
    if model.selected_by not in checkpoints:
        raise ValueError(
            f"selected_by: there is no checkpoint of the metric {model.selected_by}, only of {', '.join(checkpoints)}: "
            "run the node train again"
        )
    return checkpoints[model.selected_by]

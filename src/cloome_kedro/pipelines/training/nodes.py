"""Nodes of ``training``: examples in, the best checkpoint and its history out."""

from cloome_kedro.parameters import ModelParameters, ProbingParameters
from cloome_kedro.pipelines.training.fitting import TrainingData, fit_model


def train(
    *,
    fit_states,
    examples,
    labels,
    model: ModelParameters,
    probing: ProbingParameters,
    seed: int,
    subfolder: str,
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
    sources
        Datasets that the views of the model read.

    Returns
    -------
    checkpoints : dict of str to cloome_kedro.learning.checkpoint.Checkpoint
        Metric of ``fit.keep`` -> model of the best epoch by this metric.
    history : pandas.DataFrame
        Table of this name.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.learning.checkpoint import Checkpoint
    from cloome_kedro.learning.state import FitState

    result, description = fit_model(
        FitState(fit_states / subfolder), TrainingData(examples, labels, probing, sources), model, seed
    )
    common = {"split_hash": str(examples["split_hash"].iloc[0]), "seed": seed, "version": __version__}
    checkpoints = {}
    for metric, best in result.best.items():
        row = result.history[best.epoch]
        measured = {k: v for k, v in row.items() if k.startswith("validation_") and np.isfinite(v)}
        selection = {"selected_by": metric, "epoch": best.epoch, "validation": measured}
        checkpoints[metric] = Checkpoint(description | common | selection, best.tensors)
    history = pd.DataFrame(result.history)
    return checkpoints, history.assign(best=history["epoch"] == result.best[model.selected_by].epoch)


def select_checkpoint(checkpoints, model: ModelParameters):
    """Return the model of the best epoch by the metric ``selected_by``."""
    if model.selected_by not in checkpoints:
        raise ValueError(
            f"selected_by: there is no checkpoint of the metric {model.selected_by}, only of {', '.join(checkpoints)}: "
            "run the node train again"
        )
    return checkpoints[model.selected_by]

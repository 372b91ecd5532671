"""Training: examples in, the best checkpoint and its history out."""

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
    place: str,
    **sources,
):
    """Train on the training fold, and choose epochs on the validation fold; the test fold is never read.

    A training that was stopped goes on. One that has ended with equal inputs is not repeated.

    Parameters
    ----------
    fit_states : pathlib.Path
        Folder of a state for each split and model.
    place
        The training's state among these: ``<split>/<model>``.
    examples, labels : pandas.DataFrame
        Tables of these names.
    model
        The model's entry under ``models:``.
    probing
        How the validation metric ``probing_auc`` is measured.
    sources
        Datasets that the model's views read.

    Returns
    -------
    dict of str to cloome_kedro.learning.checkpoint.Checkpoint, pandas.DataFrame
        The best epoch's model by each metric that is kept, and ``history``.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.learning.checkpoint import Checkpoint
    from cloome_kedro.learning.state import FitState

    result, described = fit_model(
        FitState(fit_states / place), TrainingData(examples, labels, probing, sources), model, seed
    )
    common = {"split_hash": str(examples["split_hash"].iloc[0]), "seed": seed, "version": __version__}
    checkpoints = {}
    for metric, best in result.best.items():
        row = result.history[best.epoch]
        measured = {k: v for k, v in row.items() if k.startswith("validation_") and np.isfinite(v)}
        own = {"selected_by": metric, "epoch": best.epoch, "validation": measured}
        checkpoints[metric] = Checkpoint(described | common | own, best.tensors)
    history = pd.DataFrame(result.history)
    return checkpoints, history.assign(best=history["epoch"] == result.best[model.selected_by].epoch)


def select_checkpoint(checkpoints, model: ModelParameters):
    """Pass on the best epoch's model by the metric that the study selects by."""
    if model.selected_by not in checkpoints:
        raise ValueError(
            f"selected_by: no checkpoint was kept by {model.selected_by}, only by {', '.join(checkpoints)}: run the "
            "node train again"
        )
    return checkpoints[model.selected_by]

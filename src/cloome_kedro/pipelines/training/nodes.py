"""Training: pairs of fields and structures in, the best checkpoint and its history out."""

from cloome_kedro.parameters import (
    FingerprintParameters,
    IngestionParameters,
    ProbingParameters,
    TrainingParameters,
)
from cloome_kedro.pipelines.training.fitting import fit_training


def train(
    fit_state,
    plate_store,
    pairs,
    compounds,
    fingerprints,
    folds,
    assay_labels,
    compound_keys,
    training: TrainingParameters,
    fingerprint_settings: FingerprintParameters,
    ingestion: IngestionParameters,
    probing: ProbingParameters,
    seed: int,
):
    """Train on the training fold, choose epochs on the validation fold; the test fold's fields are never read.

    A training that was stopped goes on; one that has ended with equal inputs is not repeated.

    Parameters
    ----------
    fit_state : cloome_kedro.learning.state.FitState
        Where the training keeps its state.
    plate_store : cloome_kedro.imaging.store.PlateStore
        Where the fields are.
    pairs, compounds, folds : pandas.DataFrame
        Tables of `cloome_kedro.schemas`.
    fingerprints : (compounds, bits / 8) uint8
        Packed, in the order of ``compounds``.
    assay_labels, compound_keys : pandas.DataFrame
        Read where ``fit.keep`` names the validation metric ``probing_auc``, which is measured as ``probing`` says.

    Returns
    -------
    dict of str to cloome_kedro.learning.checkpoint.Checkpoint, pandas.DataFrame
        The best epoch's model by each metric that is kept, and ``history``.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.learning.checkpoint import Checkpoint, describe
    from cloome_kedro.schemas import history as history_table

    result, preprocess = fit_training(
        fit_state,
        plate_store,
        pairs,
        compounds,
        fingerprints,
        folds,
        assay_labels,
        compound_keys,
        training,
        fingerprint_settings,
        probing,
        seed,
    )
    config = describe(
        training.image_encoder, training.structure_encoder, fingerprint_settings.bits, training.fit, preprocess
    ) | {
        "fingerprints": fingerprint_settings.model_dump(mode="json"),
        "channels": list(CHANNELS),
        "intensity": ingestion.model_dump(mode="json", include={"outlier_percent", "scale", "scope", "crop", "size"}),
        "augmentation": training.augmentation.model_dump(mode="json"),
        "split_hash": split_hash(folds),
        "seed": seed,
        "version": __version__,
    }
    checkpoints = {}
    for metric, best in result.best.items():
        row = result.history[best.epoch]
        measured = {k: v for k, v in row.items() if k.startswith("validation_") and np.isfinite(v)}
        own = {"selected_by": metric, "epoch": best.epoch, "validation": measured}
        checkpoints[metric] = Checkpoint(config | own, best.tensors)
    # Without validation compounds there are no validation columns; the table has them all the same.
    history = pd.DataFrame(result.history, columns=list(history_table.columns))
    return checkpoints, history.assign(best=history["epoch"] == result.best[training.selected_by].epoch)


def select_checkpoint(checkpoints, training: TrainingParameters):
    """Pass on the best epoch's model by the metric that the study selects by."""
    if training.selected_by not in checkpoints:
        raise ValueError(
            f"training.selected_by: no checkpoint was kept by {training.selected_by}, only by "
            f"{', '.join(checkpoints)}: run the node train again"
        )
    return checkpoints[training.selected_by]

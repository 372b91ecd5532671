"""Training: pairs of fields and structures in, the best checkpoint and its history out."""

import dataclasses

from cloome_kedro.parameters import (
    AugmentationParameters,
    FingerprintParameters,
    IngestionParameters,
    TrainingParameters,
)


def train(
    fit_state,
    plate_store,
    pairs,
    compounds,
    fingerprints,
    folds,
    training: TrainingParameters,
    fingerprint_settings: FingerprintParameters,
    ingestion: IngestionParameters,
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

    Returns
    -------
    dict of str to cloome_kedro.learning.checkpoint.Checkpoint, pandas.DataFrame
        The best epoch's model by each metric that is kept, and ``history``.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.evaluation.retrieval import retrieval_accuracies
    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.learning.checkpoint import Checkpoint, describe
    from cloome_kedro.learning.data import PairData
    from cloome_kedro.learning.fit import fit
    from cloome_kedro.learning.model import PairModel, seeded
    from cloome_kedro.schemas import history as history_table

    if len(fingerprints) != len(compounds) or fingerprints.shape[1] * 8 != fingerprint_settings.bits:
        raise ValueError(
            f"fingerprints of shape {fingerprints.shape} do not fit {len(compounds)} compounds with "
            f"{fingerprint_settings.bits} bits: run the featurization pipeline again"
        )
    # Only these fields are in the reader's list: what belongs to the test fold cannot be read.
    seen = pairs.merge(folds[folds["fold"] != "test"], on="inchikey", validate="many_to_one")
    structures = pd.Index(compounds["inchikey"]).get_indexer(seen["inchikey"])
    if (structures < 0).any():
        raise ValueError(f"pairs: compound {seen['inchikey'][structures < 0].iloc[0]} is not in the table compounds")
    data = PairData.by_fold(
        plate_store.reader(seen["plate_file"].to_numpy(), seen["row"].to_numpy()),
        structures,
        fingerprints,
        seen["fold"].to_numpy(),
        seed,
        units=structures if training.pair_key == "compound" else pd.factorize(seen["treatment"])[0],
        keys=seen["field_id"].to_numpy(),
    )
    preprocess = _preprocess(training.augmentation, data.read, data.train, seed)
    with seeded(seed):
        model = PairModel(
            training.image_encoder,
            training.structure_encoder,
            fingerprint_settings.bits,
            training.fit.embedding_size,
            training.fit.inverse_temperature,
            training.fit.learnable_temperature,
        )
    plates = {plate: plate_store.digest(plate) for plate in seen["plate_file"].unique()}
    identity = f"{plates} {pd.util.hash_pandas_object(seen[['field_id', 'plate_file', 'row']]).sum()}"
    result = fit(model, data, preprocess, training.fit, seed, retrieval_accuracies, fit_state, identity)

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


def _preprocess(augmentation: AugmentationParameters, read, fields, seed: int):
    from cloome_kedro.learning.preprocess import Preprocess, channel_statistics

    chosen = Preprocess(augmentation.crop, augmentation.resized_crop_scale)
    if augmentation.normalisation == "per_image":
        return dataclasses.replace(chosen, normalisation="per_image")
    if augmentation.normalisation == "dataset":
        mean, std = channel_statistics(read, fields, seed)
        return dataclasses.replace(chosen, mean=mean, std=std)
    return chosen

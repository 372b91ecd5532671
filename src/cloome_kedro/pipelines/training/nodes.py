"""Training: pairs of fields and structures in, the best checkpoint and its history out."""

import dataclasses

from cloome_kedro.parameters import (
    AugmentationParameters,
    FingerprintParameters,
    IngestionParameters,
    TrainingParameters,
)


def train(
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
    """Train on the training fold, choose the epoch on the validation fold; the test fold's fields are never read.

    Parameters
    ----------
    plate_store : cloome_kedro.imaging.store.PlateStore
        Where the fields are.
    pairs, compounds, folds : pandas.DataFrame
        Tables of `cloome_kedro.schemas`.
    fingerprints : (compounds, bits / 8) uint8
        Packed, in the order of ``compounds``.

    Returns
    -------
    cloome_kedro.learning.checkpoint.Checkpoint, pandas.DataFrame
        The best epoch's model, and ``history``.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.learning.checkpoint import Checkpoint, describe
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
    read = plate_store.reader(seen["plate_file"].to_numpy(), seen["row"].to_numpy())
    structures = pd.Index(compounds["inchikey"]).get_indexer(seen["inchikey"])
    if (structures < 0).any():
        raise ValueError(f"pairs: compound {seen['inchikey'][structures < 0].iloc[0]} is not in the table compounds")
    units = structures if training.pair_key == "compound" else pd.factorize(seen["treatment"])[0]
    train_fields = np.flatnonzero(seen["fold"] == "train")
    if not len(train_fields):
        raise ValueError("no field of a compound of the training fold is in pairs: see folds and pairs")

    preprocess = _preprocess(training.augmentation, read, train_fields, seed)
    with seeded(seed):
        model = PairModel(
            training.image_encoder,
            training.structure_encoder,
            fingerprint_settings.bits,
            training.fit.embedding_size,
            training.fit.inverse_temperature,
            training.fit.learnable_temperature,
        )
    state, history = fit(
        model,
        read,
        structures,
        fingerprints,
        train_fields,
        np.flatnonzero(seen["fold"] == "validation"),
        preprocess,
        training.fit,
        seed,
        _top1,
        units,
    )
    best = next(row for row in history if row["best"])
    config = describe(
        training.image_encoder, training.structure_encoder, fingerprint_settings.bits, training.fit, preprocess
    ) | {
        "fingerprints": fingerprint_settings.model_dump(mode="json"),
        "channels": list(CHANNELS),
        "intensity": ingestion.model_dump(mode="json", include={"outlier_percent", "scale", "scope", "crop", "size"}),
        "augmentation": training.augmentation.model_dump(mode="json"),
        "split_hash": split_hash(folds),
        "seed": seed,
        "epoch": best["epoch"],
        "validation": {k: v for k, v in best.items() if k.startswith("validation_") and np.isfinite(v)},
        "version": __version__,
    }
    # Without validation compounds there are no validation columns; the table has them all the same.
    return Checkpoint(config, state), pd.DataFrame(history, columns=list(history_table.columns))


def _top1(images, structures) -> dict[str, float]:
    """Share of first ranks in the full pool, both ways and their mean; ties count against the match."""
    import numpy as np

    from cloome_kedro.evaluation.ranks import match_ranks, top_k

    match = np.arange(len(images))
    of_structures = float(top_k(match_ranks(images, structures, match), 1))
    of_images = float(top_k(match_ranks(structures, images, match), 1))
    return {
        "top1": (of_structures + of_images) / 2,
        "top1_structure_retrieval": of_structures,
        "top1_image_retrieval": of_images,
    }


def _preprocess(augmentation: AugmentationParameters, read, fields, seed: int):
    from cloome_kedro.learning.preprocess import Preprocess, channel_statistics

    chosen = Preprocess(augmentation.crop, augmentation.resized_crop_scale)
    if augmentation.normalisation == "per_image":
        return dataclasses.replace(chosen, normalisation="per_image")
    if augmentation.normalisation == "dataset":
        mean, std = channel_statistics(read, fields, seed)
        return dataclasses.replace(chosen, mean=mean, std=std)
    return chosen

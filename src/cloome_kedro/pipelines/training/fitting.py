"""One contrastive training on the tables of a split, as the pipeline runs it and a search runs it many times."""

import dataclasses
from collections.abc import Callable
from typing import Any

from cloome_kedro.parameters import (
    AugmentationParameters,
    FingerprintParameters,
    ProbingParameters,
    TrainingParameters,
)
from cloome_kedro.pipelines.training.tasks import task_metrics


def fit_training(
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
    probing: ProbingParameters,
    seed: int,
    report: Callable[[dict[str, Any]], bool] | None = None,
    progress: bool = True,
):
    """Train on the training fold, choose epochs on the validation fold; the test fold's fields are never read.

    Parameters
    ----------
    report, progress
        As in :func:`cloome_kedro.learning.fit.fit`; the rest is as in :func:`.nodes.train`.

    Returns
    -------
    cloome_kedro.learning.fit.FitResult, cloome_kedro.learning.preprocess.Preprocess

    Raises
    ------
    ValueError
        If tables do not fit one another, or a metric of ``fit.keep`` cannot be measured on them.
    """
    import pandas as pd

    from cloome_kedro.evaluation.retrieval import retrieval_accuracies
    from cloome_kedro.learning.data import PairData
    from cloome_kedro.learning.fit import fit
    from cloome_kedro.learning.model import PairModel, seeded

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
    preprocess = _preprocess(training.augmentation, data.read, data.train, seed, progress)
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
    tasks, scored_by = task_metrics(seen, compounds, assay_labels, compound_keys, training, probing, seed)
    result = fit(
        model,
        data,
        preprocess,
        training.fit,
        seed,
        retrieval_accuracies,
        fit_state,
        identity + scored_by,
        tasks,
        report,
        progress,
    )
    return result, preprocess


def _preprocess(augmentation: AugmentationParameters, read, fields, seed: int, progress: bool):
    from cloome_kedro.learning.preprocess import Preprocess, channel_statistics

    chosen = Preprocess(augmentation.crop, augmentation.resized_crop_scale)
    if augmentation.normalisation == "per_image":
        return dataclasses.replace(chosen, normalisation="per_image")
    if augmentation.normalisation == "dataset":
        mean, std = channel_statistics(read, fields, seed, progress=progress)
        return dataclasses.replace(chosen, mean=mean, std=std)
    return chosen

"""Embedding: a checkpoint and fields or compounds in, keyed vectors out."""

import logging

from cloome_kedro.parameters import EmbeddingParameters, FingerprintParameters, IngestionParameters

logger = logging.getLogger(__name__)


def embed_images(checkpoint, plate_store, fields, parameters: EmbeddingParameters, ingestion: IngestionParameters):
    """Embed every field of the table ``fields``, controls too, keyed by ``field_id``.

    Warns where fields are stored with other intensities or another size than the model was trained on.
    """
    from cloome_kedro.datasets.embeddings import Embeddings
    from cloome_kedro.learning.checkpoint import build, preprocess_of
    from cloome_kedro.learning.embed import embed_images, find_device

    _warn_of_other_images(checkpoint.config["intensity"], ingestion)
    vectors = embed_images(
        build(checkpoint),
        plate_store.reader(fields["plate_file"].to_numpy(), fields["row"].to_numpy()),
        len(fields),
        preprocess_of(checkpoint),
        parameters.batch_size,
        find_device(parameters.accelerator),
    )
    return Embeddings(fields["field_id"].to_numpy(), vectors, _meta(checkpoint))


def embed_untrained(checkpoint, plate_store, pairs, folds, parameters: EmbeddingParameters, seed: int):
    """Embed every field of ``pairs`` by the checkpoint's architecture with fresh weights of this seed.

    What is found with them is what the architecture and the images give without any training. Batch normalisation takes
    its statistics from fields of the training fold, as the first steps of a training would.

    Raises
    ------
    ValueError
        If no field is of a compound of the training fold.
    """
    import numpy as np

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import Embeddings
    from cloome_kedro.learning.checkpoint import build_untrained, preprocess_of
    from cloome_kedro.learning.embed import embed_images, find_device
    from cloome_kedro.learning.untrained import calibrate_image_statistics

    training = folds.loc[folds["fold"] == "train", "inchikey"]
    fields = np.flatnonzero(pairs["inchikey"].isin(training))
    if not len(fields):
        raise ValueError("no field of a compound of the training fold is in pairs: see folds and pairs")
    model, preprocess = build_untrained(checkpoint, seed), preprocess_of(checkpoint)
    read = plate_store.reader(pairs["plate_file"].to_numpy(), pairs["row"].to_numpy())
    device = find_device(parameters.accelerator)
    calibrate_image_statistics(model, read, fields, preprocess, seed, parameters.batch_size, device=device)
    vectors = embed_images(model, read, len(pairs), preprocess, parameters.batch_size, device)
    meta = {"split_hash": split_hash(folds), "seed": seed, "epoch": None, "weights": "untrained"}
    return Embeddings(pairs["field_id"].to_numpy(), vectors, meta)


def embed_structures(
    checkpoint, compounds, fingerprints, parameters: EmbeddingParameters, fingerprint_settings: FingerprintParameters
):
    """Embed every compound, keyed by InChIKey; ``fingerprints`` are packed, in the order of ``compounds``.

    Raises
    ------
    ValueError
        If the model was trained on fingerprints with other settings.
    """
    from cloome_kedro.datasets.embeddings import Embeddings
    from cloome_kedro.learning.checkpoint import build
    from cloome_kedro.learning.embed import embed_structures, find_device

    found = fingerprint_settings.model_dump(mode="json")
    if found != (trained_on := checkpoint.config["fingerprints"]):
        raise ValueError(
            f"params:fingerprints are {found}, the checkpoint was trained on {trained_on}: "
            "train again, or set them back"
        )
    if fingerprints.shape != (len(compounds), fingerprint_settings.bits // 8):
        raise ValueError(
            f"fingerprints of shape {fingerprints.shape} do not fit {len(compounds)} compounds with "
            f"{fingerprint_settings.bits} bits: run the featurization pipeline again"
        )
    vectors = embed_structures(
        build(checkpoint), fingerprints, parameters.batch_size, find_device(parameters.accelerator)
    )
    return Embeddings(compounds["inchikey"].to_numpy(), vectors, _meta(checkpoint))


def _warn_of_other_images(trained_on: dict, ingestion: IngestionParameters) -> None:
    stored = ingestion.model_dump(mode="json", include=set(trained_on))
    if differ := [
        f"{key} {stored.get(key)}, not {value}" for key, value in trained_on.items() if stored.get(key) != value
    ]:
        logger.warning(
            "fields are stored in another way than the model was trained on (params:ingestion: %s): "
            "embeddings may be poor",
            "; ".join(differ),
        )


def _meta(checkpoint) -> dict:
    from cloome_kedro.learning.checkpoint import weights_hash

    return {key: checkpoint.config[key] for key in ("split_hash", "seed", "epoch")} | {
        "weights": weights_hash(checkpoint)
    }

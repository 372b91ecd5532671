"""Embedding: a checkpoint and all fields or compounds in, keyed vectors out."""

from cloome_kedro.parameters import EmbeddingParameters


def embed_images(checkpoint, plate_store, fields, parameters: EmbeddingParameters):
    """Embed every field of the table ``fields``, controls too, keyed by ``field_id``."""
    from cloome_kedro.datasets.embeddings import Embeddings
    from cloome_kedro.learning.checkpoint import build, preprocess_of
    from cloome_kedro.learning.embed import embed_images, find_device

    vectors = embed_images(
        build(checkpoint),
        plate_store.reader(fields["plate_file"].to_numpy(), fields["row"].to_numpy()),
        len(fields),
        preprocess_of(checkpoint),
        parameters.batch_size,
        find_device(parameters.accelerator),
    )
    return Embeddings(fields["field_id"].to_numpy(), vectors, _meta(checkpoint))


def embed_structures(checkpoint, compounds, fingerprints, parameters: EmbeddingParameters):
    """Embed every compound, keyed by InChIKey; ``fingerprints`` are packed, in the order of ``compounds``."""
    from cloome_kedro.datasets.embeddings import Embeddings
    from cloome_kedro.learning.checkpoint import build
    from cloome_kedro.learning.embed import embed_structures, find_device

    if fingerprints.shape[1] * 8 != checkpoint.config["architecture"]["bits"]:
        raise ValueError(
            f"fingerprints have {fingerprints.shape[1] * 8} bits, the checkpoint was trained on "
            f"{checkpoint.config['architecture']['bits']}: train again, or set fingerprints.bits"
        )
    vectors = embed_structures(
        build(checkpoint), fingerprints, parameters.batch_size, find_device(parameters.accelerator)
    )
    return Embeddings(compounds["inchikey"].to_numpy(), vectors, _meta(checkpoint))


def _meta(checkpoint) -> dict:
    return {key: checkpoint.config[key] for key in ("split_hash", "seed", "epoch")}

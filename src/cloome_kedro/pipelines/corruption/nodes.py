"""Nodes of the corruption study. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import CorruptionParameters, EmbeddingParameters

logger = logging.getLogger(__name__)

FOLD = "test"  # whose fields are corrupted


def embed_corrupted(
    corruption_store,
    checkpoint,
    image_embeddings,
    plate_store,
    pairs,
    folds,
    parameters: CorruptionParameters,
    embedding: EmbeddingParameters,
    seed: int,
    *,
    split: str,
):
    """Corrupt and embed every field of the test fold, in each way that is not in the store already.

    Returns
    -------
    corrupted_fields

    Raises
    ------
    ValueError
        If a corruption is unknown, the clean embeddings are of another model, or the fold has no fields.
    """
    import dataclasses

    import pandas as pd

    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.imaging.corruption_store import corruption_digest
    from cloome_kedro.imaging.corruptions import draw_table, find_corruptions
    from cloome_kedro.learning.checkpoint import preprocess_of, weights_hash

    corruptions = find_corruptions(parameters.names, parameters.modules)
    if (weights := weights_hash(checkpoint)) != (clean := image_embeddings.meta.get("weights")):
        raise ValueError(
            f"{split}.image_embeddings are of the model {clean}, {split}.checkpoint is {weights}: "
            "run the embedding pipeline of this split again"
        )
    fields = fold_fields(pairs, folds, FOLD, split)
    made_from = {
        "weights": weights,
        "preprocess": dataclasses.asdict(preprocess_of(checkpoint)),
        "stage": parameters.stage,
        "plates": {plate: plate_store.digest(plate) for plate in fields["plate_file"].unique()},
        "rows": fields[["plate_file", "row"]].values.tolist(),
    }
    tables = []
    for corruption in corruptions:
        drawn = draw_table(corruption, fields["field_id"].tolist(), seed)
        digest = corruption_digest(corruption, drawn, **made_from)
        if corruption_store.digest(corruption.name) == digest:
            logger.info("%s split, %s: embedded already", split, corruption.name)
        else:
            logger.info("%s split, %s: %d fields to embed", split, corruption.name, len(fields))
            vectors, black = _embed(corruption, drawn, checkpoint, plate_store, fields, parameters.stage, embedding)
            table = drawn.assign(stage=parameters.stage, black=black)
            corruption_store.write(corruption.name, table, vectors, digest)
        marked = corruption.is_augmentation(checkpoint.config.get("augmentation", {}))
        tables.append(corruption_store.read(corruption.name)[0].assign(augmentation=marked, digest=digest))
    return pd.concat(tables, ignore_index=True)


def _embed(corruption, drawn, checkpoint, plate_store, fields, stage: str, embedding: EmbeddingParameters):
    """Embeddings of the corrupted fields, (N, d) float32, and the black share of each, (N,)."""
    import json

    import numpy as np

    from cloome_kedro.imaging.corruptions import corrupt
    from cloome_kedro.learning.checkpoint import build, preprocess_of
    from cloome_kedro.learning.embed import embed_images, find_device

    preprocess = preprocess_of(checkpoint)
    settings = [json.loads(text) for text in drawn["settings"]]
    black = np.empty(len(fields))

    def change(images, positions):
        images, black[positions] = corrupt(
            corruption, images, [settings[i] for i in positions], stage, preprocess.centre
        )
        return images

    vectors = embed_images(
        build(checkpoint),
        plate_store.reader(fields["plate_file"].to_numpy(), fields["row"].to_numpy()),
        len(fields),
        preprocess,
        embedding.batch_size,
        find_device(embedding.accelerator),
        change=change,
    )
    return vectors, black

"""The node of ``corruption`` that embeds corrupted images.

:mod:`cloome_kedro.schemas` describes the tables of the same names.
"""

import logging

from cloome_kedro.parameters import CorruptionParameters, EmbeddingParameters

logger = logging.getLogger(__name__)

#: the fold whose images are corrupted
FOLD = "test"


def embed_corrupted(
    *,
    corruption_stores,
    checkpoint,
    field_embeddings,
    examples,
    corruption: CorruptionParameters,
    embedding: EmbeddingParameters,
    seed: int,
    place: str,
    **sources,
):
    """Corrupt and embed every field of the test fold, by each corruption whose embeddings are not in the store yet.

    Parameters
    ----------
    corruption_stores : pathlib.Path
        Folder with a corruption store for each split and model.
    place
        Path of the model's store in this folder: ``<split>/<model>``.
    sources
        Datasets that the view ``images`` reads.

    Returns
    -------
    corrupted_fields

    Raises
    ------
    ValueError
        If a corruption is unknown, the clean embeddings are of another model, or the fold has no fields.
    """
    import dataclasses
    import json

    import numpy as np
    import pandas as pd

    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.imaging.corruption_store import CorruptionStore, corruption_digest
    from cloome_kedro.imaging.corruptions import corrupt, draw_table, find_corruptions
    from cloome_kedro.learning.embed import Embedder, find_device

    split, store = examples["split"].iloc[0], CorruptionStore(corruption_stores / place)
    if (weights := checkpoint.weights) != (clean_weights := field_embeddings.meta.get("weights")):
        raise ValueError(
            f"{split} split: clean fields are embedded by the model {clean_weights}, but the checkpoint is the model "
            f"{weights}: run the embedding pipeline of this split again"
        )
    fields, view = fold_fields(examples, FOLD), checkpoint.view("field")
    rows = view.rows(fields, sources)
    made_from = {
        "weights": weights,
        "view": dataclasses.asdict(view),
        "stage": corruption.stage,
        "images": rows.identity,
    }
    if embedding.precision != "32-true":
        made_from["precision"] = embedding.precision
    device = find_device(embedding.accelerator)
    embed = Embedder(checkpoint.build(), embedding.batch_size, device, precision=embedding.precision)
    tables = []
    for chosen in find_corruptions(corruption.names):
        drawn = draw_table(chosen, fields["field_id"].tolist(), seed)
        digest = corruption_digest(chosen, drawn, **made_from)
        if store.is_current(chosen.name, digest):
            logger.info("%s split, %s: already embedded", split, chosen.name)
        else:
            logger.info("%s split, %s: %d fields to embed", split, chosen.name, len(fields))
            settings, black = [json.loads(text) for text in drawn["settings"]], np.empty(len(fields))

            def change(images, positions, chosen=chosen, settings=settings, black=black):
                batch_settings = [settings[i] for i in positions]
                images, black[positions] = corrupt(chosen, images, batch_settings, corruption.stage, view.centre)
                return images

            vectors, logits = embed.fields_with_logits(rows.read, len(fields), view, change, rows.context)
            store.write(chosen.name, drawn.assign(stage=corruption.stage, black=black), vectors, digest, logits)
        augmentation = chosen.seen_in_training(checkpoint.config["views"]["field"])
        tables.append(store.read(chosen.name)[0].assign(augmentation=augmentation, weights=weights, digest=digest))
    return pd.concat(tables, ignore_index=True)

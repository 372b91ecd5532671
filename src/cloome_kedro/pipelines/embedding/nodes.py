"""Embedding: a checkpoint and fields or compounds in, keyed vectors out."""

import logging

from cloome_kedro.parameters import EmbeddingParameters

logger = logging.getLogger(__name__)


def embed_fields(checkpoint, fields, embedding: EmbeddingParameters, **sources):
    """Embed every field of the table ``fields``, controls too: ``Embeddings`` by ``field_id``.

    Fields that the model's view has no input of are left out, with a warning.

    Parameters
    ----------
    sources
        Datasets that the model's view reads.
    """
    view = checkpoint.view("field")
    if differences := view.differences(fields, sources):
        logger.warning(
            "fields are stored in another way than the model was trained on (params:ingestion.storage: %s): embeddings "
            "may be poor",
            "; ".join(differences),
        )
    return _embed("field", checkpoint.build(), checkpoint, fields, fields["field_id"], embedding, sources)


def embed_compounds(checkpoint, compounds, embedding: EmbeddingParameters, **sources):
    """Embed every compound: ``Embeddings`` by InChIKey."""
    import numpy as np

    table = compounds.assign(structure_row=np.arange(len(compounds)))
    return _embed("compound", checkpoint.build(), checkpoint, table, table["inchikey"], embedding, sources)


def embed_untrained(checkpoint, examples, embedding: EmbeddingParameters, seed: int, **sources):
    """Embed every field of ``examples`` by the checkpoint's architecture with fresh weights of this seed.

    What is found with them is what the architecture and the view give without any training. Batch normalisation takes
    its statistics from fields of the training fold, as the first steps of a training would.

    Raises
    ------
    ValueError
        If no field of the training fold has an input.
    """
    import numpy as np

    from cloome_kedro.learning.embed import Embedder, find_device
    from cloome_kedro.learning.untrained import calibrate_field_statistics

    view = checkpoint.view("field")
    rows = view.rows(examples, sources)
    train = np.flatnonzero((examples["fold"] == "train").to_numpy() & rows.known)
    if not len(train):
        raise ValueError("no field of a compound of the training fold has an input of the model's view")
    model = checkpoint.build_untrained(seed)
    embedder = Embedder(model, embedding.batch_size, find_device(embedding.accelerator))
    calibrate_field_statistics(embedder, rows.read, train, view, seed)
    own = {"seed": seed, "epoch": None, "weights": "untrained"}
    return _embed("field", model, checkpoint, examples, examples["field_id"], embedding, sources, **own)


def _embed(side, model, checkpoint, table, keys, embedding: EmbeddingParameters, sources, **own):
    """Embed the rows of a table that the model's view has an input of.

    Parameters
    ----------
    own
        What the description of the embeddings says instead of what the checkpoint says.
    """
    import numpy as np

    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.learning.embed import Embedder, find_device

    view = checkpoint.view(side)
    rows = view.rows(table, sources)
    known, keys = np.flatnonzero(rows.known), np.asarray(keys)
    without = len(keys) - len(known)
    if without:
        first = keys[~rows.known][0]
        logger.warning("%d of %d %ss have no input of the model's view: %s, ...", without, len(keys), side, first)
    vectors = Embedder(model, embedding.batch_size, find_device(embedding.accelerator))(side, rows.read, known, view)
    config = checkpoint.config
    meta = {
        **{name: config[name] for name in ("split_hash", "seed", "epoch")},
        "weights": checkpoint.weights,
        "normalised": checkpoint.architecture.normalise,
        "learned": any(True for _ in model.visual.parameters()),
        "without_input": without,
    }
    return Embeddings(keys[known], vectors, meta | own)

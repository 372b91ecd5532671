"""Nodes of ``embedding``: a checkpoint and fields or compounds in, keyed vectors out."""

import logging

from cloome_kedro.parameters import EmbeddingParameters

logger = logging.getLogger(__name__)


def embed_fields(
    checkpoint, fields, embedding: EmbeddingParameters, embedding_parts=None, place: str = "-/-", **sources
):
    """Embed all fields of the table ``fields``, including controls; an interrupted embedding continues.

    Fields without input are left out with a warning.

    Parameters
    ----------
    embedding_parts : pathlib.Path
        Folder of the finished plates of embeddings that are not finished; None: an interrupted embedding starts again.
    place
        Path of this embedding in this folder.
    sources
        Datasets that the view of the model reads.

    Returns
    -------
    cloome_kedro.evaluation.methods.Embeddings
        By ``field_id``.
    """
    sources["fields"] = fields  # a view that scales by controls reads this table
    view = checkpoint.view("field")
    if differences := view.differences(fields, sources):
        logger.warning(
            "the storage of fields is not the same as in training (params:ingestion.storage: %s): embeddings may be "
            "poor",
            "; ".join(differences),
        )
    folder = None if embedding_parts is None else embedding_parts / place
    return _embed("field", checkpoint, fields, fields["field_id"], embedding=embedding, sources=sources, folder=folder)


def embed_compounds(checkpoint, compounds, embedding: EmbeddingParameters, **sources):
    """Embed all compounds: ``Embeddings`` by InChIKey."""
    import numpy as np

    table = compounds.assign(structure_row=np.arange(len(compounds)))
    return _embed("compound", checkpoint, table, table["inchikey"], embedding=embedding, sources=sources)


def embed_untrained(checkpoint, examples, embedding: EmbeddingParameters, seed: int, **sources):
    """Embed all fields of ``examples`` by an untrained model: the checkpoint's architecture with initial weights.

    Results of these embeddings show what architecture and view give without training. The statistics of batch
    normalisation come from fields of the training fold, as in the first steps of a training.

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
        raise ValueError("no field of the training fold has an input for the view of the model")
    model = checkpoint.build_untrained(seed)
    embedder = Embedder(model, embedding.batch_size, find_device(embedding.accelerator), precision=embedding.precision)
    calibrate_field_statistics(embedder, rows, train, view, seed)
    facts = {"seed": seed, "epoch": None, "weights": "untrained"}
    keys = examples["field_id"]
    return _embed("field", checkpoint, examples, keys, embedding=embedding, sources=sources, model=model, **facts)


def _embed(side, checkpoint, table, keys, *, embedding: EmbeddingParameters, sources, model=None, folder=None, **facts):
    """Embed the rows of a table that have an input.

    Parameters
    ----------
    model
        Model that embeds. None: that of the checkpoint.
    folder
        Folder of finished plates. None: they are not written.
    facts
        Entries of the metadata of the embeddings that replace those of the checkpoint.
    """
    import numpy as np

    from cloome_kedro.evaluation.embeddings import Embeddings
    from cloome_kedro.learning.embed import Embedder, find_device
    from cloome_kedro.learning.parts import Parts
    from cloome_kedro.pooling import ATTENTION

    model = checkpoint.build() if model is None else model
    view = checkpoint.view(side)
    rows = view.rows(table, sources)
    known, keys = np.flatnonzero(rows.known), np.asarray(keys)
    without_input = len(keys) - len(known)
    if without_input:
        first = keys[~rows.known][0]
        logger.warning(
            "%d of %d %ss are left out, since the view of the model has no input for them; the first is %s",
            *(without_input, len(keys), side, first),
        )
    embed = Embedder(model, embedding.batch_size, find_device(embedding.accelerator), precision=embedding.precision)
    if side == "field":
        parts = None
        if folder is not None:
            identity = f"{checkpoint.weights} {view!r} {rows.identity} {embedding.precision}"
            parts = Parts(folder, identity, table["plate"].to_numpy(str)[known])
        vectors, logits = embed.fields_with_logits(rows.read, known, view, context=rows.context, parts=parts)
    else:
        vectors, logits = embed(side, rows.read, known, view, context=rows.context), None
    config = checkpoint.config
    meta = {
        **{name: config[name] for name in ("split_hash", "seed", "epoch")},
        "weights": checkpoint.weights,
        "normalised": checkpoint.architecture.normalise,
        "inverse_temperature": float(model.scalars()["scale"]),
        "learned": any(True for _ in model.visual.parameters()),
        "without_input": without_input,
    }
    if logits is not None:
        meta["pooling"] = ATTENTION
    return Embeddings(keys[known], vectors, meta | facts, logits)

"""Node of ``index``: embeddings, metadata and results of a model in, the content of its index out."""

from collections.abc import Mapping, Sequence

from cloome_kedro.parameters import IndexParameters, RetrievalParameters, StudyParameters, UncertaintyParameters


def index_embeddings(
    *,
    fields,
    pairs,
    compounds,
    examples,
    fingerprints,
    familiarity,
    field_embeddings,
    compound_embeddings,
    study: StudyParameters,
    index: IndexParameters,
    retrieval: RetrievalParameters,
    uncertainty: UncertaintyParameters,
    seed: int,
    name: str,
    accepts: Mapping[str, Mapping[str, bool]],
    checkpoint,
    parts: Sequence[str] = (),
    plate_store=None,
    plate_statistics=None,
):
    """Gather what the index of a model is made from.

    Parameters
    ----------
    name
        Name of the model in the configuration.
    accepts
        Model -> whether it embeds new ``smiles`` and new ``images``.
    parts
        Names of the parts of a fusion.

    Returns
    -------
    cloome_kedro.index.Content

    Raises
    ------
    ValueError
        If the embeddings are of another split, or of other weights than the checkpoint.
    """
    from cloome_kedro.evaluation.methods import check_one_model, check_split
    from cloome_kedro.index import Content
    from cloome_kedro.pipelines.index import tables

    split, split_hash = (str(examples[column].iloc[0]) for column in ("split", "split_hash"))
    label, meta = study.models[name], field_embeddings.meta
    for side, embeddings in (("fields", field_embeddings), ("compounds", compound_embeddings)):
        check_split(embeddings, f"{side} of {label}", split_hash, split)
    check_one_model(field_embeddings, compound_embeddings, f"{label}, {split} split")
    if checkpoint.weights != meta["weights"]:
        raise ValueError(
            f"{label}, {split} split: fields are embedded by the model {meta['weights']}, but the checkpoint is "
            f"{checkpoint.weights}: run the embedding pipeline of this split again"
        )
    described = tables.describe(fields, pairs, compounds, examples, field_embeddings, compound_embeddings)
    normalised = bool(meta.get("normalised", True))
    settings = tables.SearchSettings(uncertainty.levels, uncertainty.confidence, seed, normalised)
    folds = {"validation": "validation", "test": retrieval.fold if retrieval.fold == "test" else "none"}
    training = tables.training_fingerprints(fingerprints, compounds, examples)
    read = None if plate_store is None else tables.thumbnail_reader(plate_store, fields, index.thumbnail)
    uri = None if index.uri is None else f"{index.uri.rstrip('/')}/{study.screen}/{split}/{name}/{meta['weights']}"
    return Content(
        info={
            "screen": study.screen,
            "split": split,
            "model": name,
            "label": label,
            "simulated": study.simulated,
            "weights": meta["weights"],
            "split_hash": meta["split_hash"],
            "normalised": normalised,
            "fitted_on": list(meta.get("fitted_on", ["train"])),
            "channels": list(tables.CHANNELS),
            "thumbnail_side": index.thumbnail if read else None,
            "fingerprints": dict(fingerprints.settings),
            "accepts": dict(accepts[name]),
            "parts": list(parts),
            "models": {model: {"label": study.models[model], **sides} for model, sides in accepts.items()},
            "seed": meta.get("seed"),
        },
        **described,
        tables={
            "plate_statistics": tables.statistics(plate_statistics, fields),
            **tables.measure_searches(described, examples, folds, settings),
            "familiarity": tables.own_familiarity(familiarity, label),
            "fingerprints": training,
        },
        read_thumbnails=read,
        save_model=tables.model_writer(checkpoint),
        exact_below=index.exact_below,
        probes=index.probes,
        recall=index.recall,
        uri=uri,
    )

"""Evaluations with corrupted images of the test fold.

Clean images are evaluated again, by the same code on the same queries, so that differences from them are paired.
"""

import dataclasses
import logging

from cloome_kedro.parameters import (
    CorruptionParameters,
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.corruption.nodes import FOLD

logger = logging.getLogger(__name__)


def rank_corrupted(
    *,
    corruption_stores,
    methods,
    examples,
    study: StudyParameters,
    corruption: CorruptionParameters,
    retrieval: RetrievalParameters,
    zero_shot: ZeroShotParameters,
    seed: int,
    **corrupted,
):
    """Rank corrupted images as the pipelines ``retrieval`` and ``zero_shot`` do.

    Retrieval uses all corruptions, zero-shot classification only the chosen one. With ``corrupt: queries``, references
    of zero-shot classification are clean. The direction compound to image is then left out, since its queries are
    structures.

    Parameters
    ----------
    corruption_stores : pathlib.Path
        Folder with a corruption store for each split and model.
    corrupted
        ``<model>_fields``: the table ``corrupted_fields`` of each model that sees images.

    Returns
    -------
    corruption_ranks, corruption_metrics, corruption_differences
        Ranks of the first draw, metrics of all draws, and paired differences from clean images.

    Raises
    ------
    ValueError
        If methods were gathered for other folds, or if ``corrupted_fields`` does not fit the model of the clean
        embeddings or the stored embeddings.
    """
    import pandas as pd

    from cloome_kedro.evaluation.methods import check_methods
    from cloome_kedro.evaluation.retrieval import Draws, fold_fields, rank_method
    from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
    from cloome_kedro.words import CLEAN, IMAGE_TO_COMPOUND

    check_methods(methods, examples)
    fields = fold_fields(examples, FOLD)
    draws = Draws(retrieval.pool_size, retrieval.draws, seed)
    split, folds_hash = examples["split"].iloc[0], examples["split_hash"].iloc[0]
    results = []
    for label, read_embeddings in _readers_by_model(methods, examples, study, corruption_stores, corrupted).items():
        method_of_images = {CLEAN: methods[label]} | {
            name: dataclasses.replace(methods[label], fields=read_embeddings(name)) for name in corruption.names
        }
        retrieved = {images: rank_method(method, fields, draws) for images, method in method_of_images.items()}
        if corruption.corrupt == "queries":
            retrieved = {images: ranks[ranks["direction"] == IMAGE_TO_COMPOUND] for images, ranks in retrieved.items()}
        classified = _rank_zero_shot(method_of_images, fields, corruption, zero_shot, seed)
        for ranks_of_images, parameters in ((retrieved, retrieval), (classified, zero_shot)):
            if not ranks_of_images:  # no class has two fields
                continue
            clean, *changed = (
                ranks.assign(split=split, method=label, images=images) for images, ranks in ranks_of_images.items()
            )
            changed = pd.concat(changed, ignore_index=True)
            summary = Summary(parameters.top_k, parameters.confidence, seed)
            results.append(
                (
                    changed[changed["draw"] == 0],
                    summarise_ranks(changed, summary).assign(split_hash=folds_hash),
                    compare_ranks(changed, clean, CLEAN, summary).assign(split_hash=folds_hash),
                )
            )
    ranks, metrics, differences = (pd.concat(tables, ignore_index=True) for tables in zip(*results, strict=True))
    # Rows of the method Random repeat for every model.
    keys = [name for name in metrics if name not in ("value", "low", "high", "spread", "chance")]
    return ranks, metrics.drop_duplicates(keys, ignore_index=True), differences


def probe_corrupted(
    *,
    corruption_stores,
    methods,
    examples,
    labels,
    study: StudyParameters,
    corruption: CorruptionParameters,
    probing: ProbingParameters,
    seed: int,
    **corrupted,
):
    """Score probes that were fitted to clean images on test images with the chosen corruption.

    Parameters
    ----------
    corruption_stores, corrupted
        As in :func:`rank_corrupted`.

    Returns
    -------
    corrupted_probing_scores, corrupted_probing_metrics, corrupted_probing_differences
        Differences are corrupted minus clean images. If no compound has a label, all three are empty, and a warning is
        logged.

    Raises
    ------
    ValueError
        As :func:`rank_corrupted`.
    """
    from cloome_kedro.evaluation.assays import ProbeInputs, probe
    from cloome_kedro.evaluation.methods import check_methods
    from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
    from cloome_kedro.schemas import differences, empty, metrics, probing_scores
    from cloome_kedro.words import CLEAN

    check_methods(methods, examples)
    table_schemas = probing_scores, metrics, differences
    split, chosen = examples["split"].iloc[0], corruption.chosen
    labels = labels.set_index("inchikey")
    fields = examples[examples["inchikey"].isin(labels.index)].sort_values("field_id", ignore_index=True)
    if fields.empty:
        logger.warning("%s split: no compound has an assay label, so corruptions are not probed", split)
        return tuple(empty(schema) for schema in table_schemas)
    inputs = ProbeInputs(fields, labels, probing.c_grid, probing.level)
    readers = _readers_by_model(methods, examples, study, corruption_stores, corrupted)
    probed = probe(
        {label: inputs.features(methods[label]) for label in readers},
        inputs,
        {chosen: {label: inputs.test_features(read_embeddings(chosen)) for label, read_embeddings in readers.items()}},
    )
    comparisons = [((label, chosen), (label, CLEAN), CLEAN) for label in readers]
    summary = ProbeSummary(probing.unscorable, probing.confidence, probing.resamples, seed)
    tables = (probed.table, *summarise_probes(probed, comparisons, summary))
    split_columns = {"split": split, "split_hash": examples["split_hash"].iloc[0]}
    return tuple(
        table[table["images"] == chosen].assign(**split_columns)[list(schema.columns)]
        for schema, table in zip(table_schemas, tables, strict=True)
    )


def _rank_zero_shot(method_of_images, fields, corruption: CorruptionParameters, zero_shot: ZeroShotParameters, seed):
    """Rank by the published protocol in all draws: clean images, and images with the chosen corruption."""
    import pandas as pd

    from cloome_kedro.evaluation.zero_shot import rank_by_plan
    from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of, draw_plans
    from cloome_kedro.words import CLEAN

    protocols = [Protocol((), shown_by) for shown_by in zero_shot.shown_by]
    tables: dict[str, list] = {CLEAN: [], corruption.chosen: []}
    for task, labelled in classes_of(fields).items():
        vectors = {images: method_of_images[images].unit_fields(labelled["field_id"]) for images in tables}
        references = {"field": vectors, "mean": {}}
        for images, method in method_of_images.items():
            if images in tables:
                references["mean"][images] = method.weighted_for_means(vectors[images], labelled)
        for protocol, plans in draw_plans(labelled, protocols, zero_shot.draws, seed).items():
            for draw, plan in enumerate(plans):
                for images in tables:
                    reference_images = images if corruption.corrupt == "all" else CLEAN
                    ranks = rank_by_plan(plan, vectors[images], references[protocol.shown_by][reference_images])
                    tables[images].append(ranks.assign(task=task, draw=draw, **protocol.setting))
    return {images: pd.concat(ranks, ignore_index=True) for images, ranks in tables.items() if ranks}


def _readers_by_model(methods, examples, study: StudyParameters, corruption_stores, corrupted):
    """Label of each model -> a function from the name of a corruption to the embeddings of the corrupted fields."""
    from cloome_kedro.evaluation.embeddings import Embeddings
    from cloome_kedro.imaging.corruption_store import CorruptionStore

    split = examples["split"].iloc[0]

    def reader(name):
        store, table = CorruptionStore(corruption_stores / split / name), corrupted[f"{name}_fields"]
        label = study.models[name]
        weights, clean_weights = table["weights"].unique(), methods[label].fields.meta.get("weights")
        if list(weights) != [clean_weights]:
            raise ValueError(
                f"{split} split: corrupted fields of {label} are embedded by the model {', '.join(weights)}, but clean "
                f"fields by the model {clean_weights}: run the pipelines embedding and corruption again"
            )

        def read_embeddings(images: str) -> Embeddings:
            digests = table.loc[table["corruption"] == images, "digest"].unique()
            if list(digests) != [store.digest(images)]:
                raise ValueError(
                    f"{split}.{name}.corrupted_fields does not describe the embeddings of {images} in {store.folder}: "
                    "run the pipeline corruption of this split again"
                )
            fields, vectors = store.read(images)
            return Embeddings(fields["field_id"].to_numpy(), vectors, logits=store.logits(images))

        return read_embeddings

    return {study.models[name]: reader(name) for name in study.models if f"{name}_fields" in corrupted}

"""What is left of each evaluation on corrupted images of the test fold.

Clean images are evaluated here once more, by the same code on the same queries, so differences to them are paired.
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
    """Rank as the pipelines ``retrieval`` and ``zero_shot`` do, the latter with images of the chosen corruption only.

    With ``corrupt: queries``, references of zero-shot classification stay clean, and compound to image, whose queries
    are structures, is left out.

    Parameters
    ----------
    corruption_stores : pathlib.Path
        Folder of a corruption store for each split and model.
    corrupted
        ``<model>_fields``: ``corrupted_fields`` of each model that sees images.

    Returns
    -------
    corruption_ranks, corruption_metrics, corruption_differences
        Ranks of the first draw, metrics of all, and paired differences to clean images.

    Raises
    ------
    ValueError
        If methods are of other folds, or corrupted fields of another model or of other embeddings than are stored.
    """
    import pandas as pd

    from cloome_kedro.evaluation.methods import check_methods
    from cloome_kedro.evaluation.retrieval import Draws, fold_fields, rank_method
    from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
    from cloome_kedro.words import CLEAN, IMAGE_TO_COMPOUND

    check_methods(methods, examples)
    fields = fold_fields(examples, FOLD)
    draws = Draws(retrieval.pool_size, retrieval.draws, seed)
    parts = []
    for label, stored in _by_model(methods, examples, study, corruption_stores, corrupted).items():
        images = {CLEAN: methods[label]} | {
            name: dataclasses.replace(methods[label], fields=stored(name)) for name in corruption.names
        }
        by_retrieval = {name: rank_method(method, fields, draws) for name, method in images.items()}
        if corruption.corrupt == "queries":
            by_retrieval = {
                name: ranks[ranks["direction"] == IMAGE_TO_COMPOUND] for name, ranks in by_retrieval.items()
            }
        by_zero_shot = _rank_zero_shot(images, fields, corruption, zero_shot, seed)
        for by_images, protocol in ((by_retrieval, retrieval), (by_zero_shot, zero_shot)):
            if not by_images:  # no class has two fields
                continue
            named = [
                ranks.assign(split=examples["split"].iloc[0], method=label, images=name)
                for name, ranks in by_images.items()
            ]
            clean, changed = named[0], pd.concat(named[1:], ignore_index=True)
            summary = Summary(protocol.top_k, protocol.confidence, seed)
            folds = examples["split_hash"].iloc[0]
            parts.append(
                (
                    changed[changed["draw"] == 0],
                    summarise_ranks(changed, summary).assign(split_hash=folds),
                    compare_ranks(changed, clean, CLEAN, summary).assign(split_hash=folds),
                )
            )
    ranks, metrics, differences = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    keys = [name for name in metrics if name not in ("value", "low", "high", "spread", "chance")]
    return ranks, metrics.drop_duplicates(keys, ignore_index=True), differences  # chance is the same for all models


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
    """Score probes, which are fitted to clean images, on test images with the chosen corruption.

    Parameters
    ----------
    corruption_stores, corrupted
        As in :func:`rank_corrupted`.

    Returns
    -------
    corrupted_probing_scores, corrupted_probing_metrics, corrupted_probing_differences

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
    kinds = probing_scores, metrics, differences
    labels = labels.set_index("inchikey")
    fields = examples[examples["inchikey"].isin(labels.index)].sort_values("field_id", ignore_index=True)
    if fields.empty:
        logger.warning("%s: no compound has an assay label: corruptions are not probed", examples["split"].iloc[0])
        return tuple(empty(table) for table in kinds)
    chosen, inputs = corruption.chosen, ProbeInputs(fields, labels, probing.c_grid, probing.level)
    of_test = fields.loc[fields["fold"] == FOLD, "field_id"]
    by_model = _by_model(methods, examples, study, corruption_stores, corrupted)
    probed = probe(
        {label: inputs.features(methods[label]) for label in by_model},
        inputs,
        {chosen: {label: stored(chosen).of(of_test) for label, stored in by_model.items()}},
    )
    comparisons = [((label, chosen), (label, CLEAN), CLEAN) for label in by_model]
    summary = ProbeSummary(probing.unscorable, probing.confidence, probing.resamples, seed)
    found = (probed.table, *summarise_probes(probed, comparisons, summary))
    own = {"split": examples["split"].iloc[0], "split_hash": examples["split_hash"].iloc[0]}
    return tuple(
        table[table["images"] == chosen].assign(**own)[list(kind.columns)]
        for kind, table in zip(kinds, found, strict=True)
    )


def _rank_zero_shot(images, fields, corruption: CorruptionParameters, zero_shot: ZeroShotParameters, seed: int):
    """Ranks by the published protocol, all draws, of clean images and of the chosen corruption."""
    import pandas as pd

    from cloome_kedro.evaluation.zero_shot import rank_by_plan
    from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of, draw_plans
    from cloome_kedro.words import CLEAN

    protocols = [Protocol((), shown_by) for shown_by in zero_shot.shown_by]
    found: dict[str, list] = {CLEAN: [], corruption.chosen: []}
    for question, asked in classes_of(fields).items():
        vectors = {name: images[name].unit_fields(asked["field_id"]) for name in found}
        for protocol, plans in draw_plans(asked, protocols, zero_shot.draws, seed).items():
            for draw, plan in enumerate(plans):
                for name, ranks in found.items():
                    references = vectors[name if corruption.corrupt == "all" else CLEAN]
                    drawn = rank_by_plan(plan, vectors[name], references)
                    ranks.append(drawn.assign(task=question, draw=draw, **protocol.setting))
    return {name: pd.concat(ranks, ignore_index=True) for name, ranks in found.items() if ranks}


def _by_model(methods, examples, study: StudyParameters, corruption_stores, corrupted):
    """Label of each model -> a function from a corruption's name to the embeddings of the corrupted fields."""
    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.imaging.corruption_store import CorruptionStore

    split = examples["split"].iloc[0]

    def reader(name):
        store, table = CorruptionStore(corruption_stores / split / name), corrupted[f"{name}_fields"]
        weights, label = table["weights"].unique(), study.models[name]
        if list(weights) != [methods[label].fields.meta.get("weights")]:
            raise ValueError(
                f"{split} split: corrupted fields are embedded by the model {', '.join(weights)}, clean ones of {label}"
                f" by {methods[label].fields.meta.get('weights')}: run the pipelines embedding and corruption again"
            )

        def stored(chosen: str) -> Embeddings:
            digests = table.loc[table["corruption"] == chosen, "digest"].unique()
            if list(digests) != [store.digest(chosen)]:
                raise ValueError(
                    f"{split}.{name}.corrupted_fields are not of the embeddings of {chosen} in {store.folder}: run the "
                    "pipeline corruption of this split again"
                )
            fields, vectors = store.read(chosen)
            return Embeddings(fields["field_id"].to_numpy(), vectors)

        return stored

    return {study.models[name]: reader(name) for name in study.models if f"{name}_fields" in corrupted}

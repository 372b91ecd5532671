"""What is left of each evaluation on corrupted images of the test fold.

Clean images are evaluated here once more, by the same code on the same queries: differences to them are paired.
"""

import logging

from cloome_kedro.parameters import CorruptionParameters, ProbingParameters, RetrievalParameters, ZeroShotParameters

logger = logging.getLogger(__name__)

FOLD = "test"


def rank_corrupted(
    corruption_store,
    corrupted_fields,
    image_embeddings,
    structure_embeddings,
    pairs,
    compounds,
    folds,
    parameters: CorruptionParameters,
    retrieval: RetrievalParameters,
    zero_shot: ZeroShotParameters,
    seed: int,
    *,
    split: str,
):
    """Rank as the pipelines retrieval and zero_shot do, the latter with images of the chosen corruption only.

    With ``corrupt: queries``, references of zero-shot classification stay clean, and image retrieval, whose queries are
    structures, is left out.

    Returns
    -------
    corruption_ranks, corrupted_rank_metrics, corrupted_rank_differences
        Ranks of the first draw, metrics of all, and paired differences to clean images.
    """
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import check_one_model, check_split
    from cloome_kedro.evaluation.retrieval import STRUCTURE_RETRIEVAL, embedding_ranks, fold_fields
    from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks

    identity = split_hash(folds)
    check_split(image_embeddings, "image_embeddings", identity, split, FOLD)
    check_split(structure_embeddings, "structure_embeddings", identity, split, FOLD)
    check_one_model(image_embeddings, structure_embeddings, split)
    fields = fold_fields(pairs, folds, FOLD, split)
    images = {"clean": image_embeddings} | {
        name: _stored(corruption_store, corrupted_fields, name, split) for name in parameters.names
    }
    by_retrieval = {
        name: embedding_ranks(shown.of, structure_embeddings.of, fields, retrieval.pool_size, seed, retrieval.draws)
        for name, shown in images.items()
    }
    if parameters.corrupt == "queries":
        by_retrieval = {name: ranks[ranks["direction"] == STRUCTURE_RETRIEVAL] for name, ranks in by_retrieval.items()}
    by_zero_shot = _rank_zero_shot(images, fields, compounds, parameters, zero_shot, seed)

    parts = []
    for by_images, protocol in ((by_retrieval, retrieval), (by_zero_shot, zero_shot)):
        if not by_images:  # no class has two fields
            continue
        named = [ranks.assign(split=split, method="CLOOME", images=name) for name, ranks in by_images.items()]
        clean, corrupted = named[0], pd.concat(named[1:], ignore_index=True)
        settings = protocol.top_k, protocol.confidence, seed
        parts.append(
            (
                corrupted[corrupted["draw"] == 0],
                summarise_ranks(corrupted, *settings).assign(split_hash=identity),
                compare_ranks(corrupted, clean, "clean", *settings).assign(split_hash=identity),
            )
        )
    return tuple(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))


def probe_corrupted(
    corruption_store,
    corrupted_fields,
    image_embeddings,
    assay_labels,
    compound_keys,
    pairs,
    folds,
    parameters: CorruptionParameters,
    probing: ProbingParameters,
    seed: int,
    *,
    split: str,
):
    """Score probes, fitted on clean images, on test images with the chosen corruption.

    Returns
    -------
    corruption_probing_scores, corrupted_probing_metrics, corrupted_probing_differences
    """
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import check_split
    from cloome_kedro.evaluation.assays import CLEAN, labels_of_screen, probe
    from cloome_kedro.evaluation.probe_metrics import summarise_probes
    from cloome_kedro.schemas import differences, empty, metrics, probing_scores

    identity = split_hash(folds)
    check_split(image_embeddings, "image_embeddings", identity, split, FOLD)
    fields = pairs.merge(folds, on="inchikey", validate="many_to_one").sort_values("field_id", ignore_index=True)
    labels = labels_of_screen(assay_labels, compound_keys, fields["inchikey"].unique()).labels
    kinds = probing_scores, metrics, differences
    if labels.empty:
        logger.warning("%s: no compound of the screen has assay labels: corruptions are not probed", split)
        return tuple(empty(table) for table in kinds)
    chosen = parameters.chosen
    corrupted = _stored(corruption_store, corrupted_fields, chosen, split)
    probed = probe(
        {"CLOOME": image_embeddings.of(fields["field_id"])},
        fields["inchikey"],
        fields["fold"],
        labels,
        probing.c_grid,
        probing.level,
        {chosen: {"CLOOME": corrupted.of(fields.loc[fields["fold"] == FOLD, "field_id"])}},
    )
    of_all, changes = summarise_probes(
        probed,
        [(("CLOOME", chosen), ("CLOOME", CLEAN), CLEAN)],
        probing.unscorable,
        probing.confidence,
        probing.resamples,
        seed,
    )
    tables = (table[table["images"] == chosen] for table in (probed.table, of_all, changes))
    own = {"split": split, "split_hash": identity}
    return tuple(table.assign(**own)[list(kind.columns)] for kind, table in zip(kinds, tables, strict=True))


def gather(rank_metrics, rank_differences, probing_metrics, probing_differences):
    """All tasks in one table each: ``corruption_metrics``, ``corruption_differences``."""
    import pandas as pd

    return (
        pd.concat([rank_metrics, probing_metrics], ignore_index=True),
        pd.concat([rank_differences, probing_differences], ignore_index=True),
    )


def _rank_zero_shot(
    images, fields, compounds, parameters: CorruptionParameters, zero_shot: ZeroShotParameters, seed: int
):
    """Ranks by the published protocol, all draws, of clean images and of the chosen corruption."""
    import pandas as pd

    from cloome_kedro.evaluation.zero_shot import rank_by_plan
    from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of, draw_plans

    protocols = [Protocol((), shown_by) for shown_by in zero_shot.shown_by]
    found: dict[str, list] = {"clean": [], parameters.chosen: []}
    for task, table in classes_of(fields, compounds).items():
        vectors = {name: images[name].of(table["field_id"]) for name in found}
        for protocol, plans in draw_plans(table, protocols, zero_shot.draws, seed).items():
            for draw, plan in enumerate(plans):
                for name, ranks in found.items():
                    references = vectors[name if parameters.corrupt == "all" else "clean"]
                    drawn = rank_by_plan(plan, vectors[name], references)
                    ranks.append(drawn.assign(task=task, draw=draw, **protocol.setting))
    return {name: pd.concat(ranks, ignore_index=True) for name, ranks in found.items() if ranks}


def _stored(corruption_store, corrupted_fields, name: str, split: str):
    """Embeddings of the fields with this corruption, which must be those that the manifest is of."""
    from cloome_kedro.datasets.embeddings import Embeddings

    digests = corrupted_fields.loc[corrupted_fields["corruption"] == name, "digest"].unique()
    if list(digests) != [corruption_store.digest(name)]:
        raise ValueError(
            f"{split}.corrupted_fields are not of the embeddings of {name} in {corruption_store.folder}: "
            "run the pipeline corruption of this split again"
        )
    table, vectors = corruption_store.read(name)
    return Embeddings(table["field_id"].to_numpy(), vectors)

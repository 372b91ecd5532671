"""Nodes of the retrieval pipeline. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import RetrievalParameters

logger = logging.getLogger(__name__)


def rank_matches(
    image_embeddings, structure_embeddings, pairs, folds, parameters: RetrievalParameters, seed: int, *, split: str
):
    """Rank the match of every compound of the fold, shown by one seeded field, in both directions: ``retrieval_ranks``.

    Embeddings of a published model, whose training compounds are not known, are ranked with a warning.

    Raises
    ------
    ValueError
        If the embeddings are of a model trained on other folds or of two models, or the fold has no fields.
    KeyError
        If a field or a compound has no embedding.
    """
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.evaluation.retrieval import IMAGE_RETRIEVAL, STRUCTURE_RETRIEVAL, draw_queries, rank_both_ways
    from cloome_kedro.learning.published import UNKNOWN_SPLIT

    expected = split_hash(folds)
    for name, embeddings in (("image_embeddings", image_embeddings), ("structure_embeddings", structure_embeddings)):
        if (found := embeddings.meta.get("split_hash")) == UNKNOWN_SPLIT:
            logger.warning(
                "%s.%s ARE OF A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN: it may have been trained on "
                "compounds of the %s fold, and then these ranks are too good",
                split,
                name,
                parameters.fold,
            )
        elif found != expected:
            raise ValueError(
                f"{split}.{name} are of folds {found}, not of {split}.folds {expected}: their model may have been "
                "trained on test compounds. Run training and embedding of this split again."
            )
    if (of_images := image_embeddings.meta.get("weights")) != (
        of_compounds := structure_embeddings.meta.get("weights")
    ):
        raise ValueError(
            f"{split}.image_embeddings are of the model {of_images}, {split}.structure_embeddings of {of_compounds}: "
            "run the embedding pipeline of this split again"
        )
    queries = draw_queries(pairs, folds, parameters.fold, seed, split)
    images = image_embeddings.of(queries["field_id"])
    structures = structure_embeddings.of(queries["inchikey"])
    spaces = {STRUCTURE_RETRIEVAL: (images, structures), IMAGE_RETRIEVAL: (structures, images)}
    ranks = rank_both_ways(spaces, queries["field_id"], queries["inchikey"], parameters.candidates, seed)
    return ranks.assign(split=split, method="CLOOME")


def rank_by_oracle(truth, pairs, compound_keys, folds, parameters: RetrievalParameters, seed: int, *, split: str):
    """Rank the same queries by the virtual screen's truth: ``oracle_ranks``; no rows for a screen without a truth.

    Ties are broken at random: all compounds of a mechanism tie for the oracle that knows the mechanism only.
    """
    import pandas as pd

    from cloome_kedro.evaluation.oracles import oracle_spaces
    from cloome_kedro.evaluation.retrieval import draw_queries, rank_both_ways
    from cloome_kedro.schemas import retrieval_ranks

    if truth.empty:
        return retrieval_ranks.coerce_dtype(pd.DataFrame(columns=list(retrieval_ranks.columns)))
    queries = draw_queries(pairs, folds, parameters.fold, seed, split)
    oracles = oracle_spaces(truth, compound_keys, queries, queries["inchikey"])
    tables = [
        rank_both_ways(
            spaces, queries["field_id"], queries["inchikey"], parameters.candidates, seed, ties="random"
        ).assign(split=split, method=method)
        for method, spaces in oracles.items()
    ]
    return pd.concat(tables, ignore_index=True)


def summarise_retrieval(
    retrieval_ranks, bilinear_ranks, oracle_ranks, folds, parameters: RetrievalParameters, *, split: str
):
    """Top-k accuracies with exact intervals, mean and median ranks, chance: ``retrieval_metrics``.

    ``bilinear_ranks`` are empty where the baseline has not been run: it is then left out, with a warning.

    Raises
    ------
    ValueError
        If the baseline has ranked other queries than the model, or among another number of sampled candidates.
    """
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.evaluation.retrieval import summarise_ranks

    ours, theirs = (
        pd.MultiIndex.from_frame(ranks[["direction", "query", "match"]]) for ranks in (bilinear_ranks, retrieval_ranks)
    )
    if ours.empty:
        logger.warning(
            "%s: the bilinear baseline has not been run with this variant and seed and is left out; the pipelines "
            "profiles,bilinear make it",
            split,
        )
    elif not ours.isin(theirs).all():
        raise ValueError(
            f"{split}.bilinear_ranks are of other queries than {split}.retrieval_ranks (other folds, other pairs or "
            "another params:retrieval.fold): run the pipeline bilinear again"
        )
    sampled = bilinear_ranks.loc[bilinear_ranks["pool"] == "sampled", "candidates"]
    if len(wrong := sampled[sampled != min(parameters.candidates, bilinear_ranks["candidates"].max())]):
        raise ValueError(
            f"{split}.bilinear_ranks are among {wrong.iloc[0]} sampled candidates, params:retrieval.candidates say "
            f"{parameters.candidates}: run the pipeline bilinear again"
        )
    tables = (retrieval_ranks, bilinear_ranks, oracle_ranks)
    ranks = pd.concat([table for table in tables if len(table)], ignore_index=True)
    metrics = summarise_ranks(ranks, parameters.top_k, parameters.confidence)
    return metrics.assign(split_hash=split_hash(folds))

"""Nodes of the retrieval pipeline. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import RetrievalParameters

logger = logging.getLogger(__name__)


def rank_matches(
    image_embeddings, structure_embeddings, pairs, folds, parameters: RetrievalParameters, seed: int, *, split: str
):
    """Rank the match of every compound of the fold in both directions: ``ranks``.

    A compound is shown by one field, in several seeded draws, and by the mean of the embeddings of all its fields.
    Embeddings of a published model, whose training compounds are not known, are ranked with a warning.

    Raises
    ------
    ValueError
        If the embeddings are of a model trained on other folds or of two models, or the fold has no fields.
    KeyError
        If a field or a compound has no embedding.
    """
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import check_one_model, check_split
    from cloome_kedro.evaluation.retrieval import embedding_ranks, fold_fields

    expected = split_hash(folds)
    check_split(image_embeddings, "image_embeddings", expected, split, parameters.fold)
    check_split(structure_embeddings, "structure_embeddings", expected, split, parameters.fold)
    check_one_model(image_embeddings, structure_embeddings, split)
    fields = fold_fields(pairs, folds, parameters.fold, split)
    ranks = embedding_ranks(
        image_embeddings.of, structure_embeddings.of, fields, parameters.pool_size, seed, parameters.draws
    )
    return ranks.assign(split=split, method="CLOOME", images="clean")


def rank_by_oracle(truth, pairs, compound_keys, folds, parameters: RetrievalParameters, seed: int, *, split: str):
    """Rank the same drawn fields by the virtual screen's truth: ``ranks``; no rows for a screen without a truth.

    Ties are broken at random: all compounds of a mechanism tie for the oracle that knows the mechanism only.
    """
    import pandas as pd

    from cloome_kedro import schemas
    from cloome_kedro.evaluation.draws import draw_queries
    from cloome_kedro.evaluation.oracles import oracle_spaces
    from cloome_kedro.evaluation.retrieval import field_ranks, fold_fields

    if truth.empty:
        return schemas.empty(schemas.ranks)
    queries = draw_queries(fold_fields(pairs, folds, parameters.fold, split), seed, parameters.draws)
    spaces = [oracle_spaces(truth, compound_keys, drawn, drawn["inchikey"]) for drawn in queries]
    tables = [
        field_ranks(queries, [of_draw[oracle] for of_draw in spaces], parameters.pool_size, seed, ties="random").assign(
            method=oracle
        )
        for oracle in spaces[0]
    ]
    return pd.concat(tables, ignore_index=True).assign(split=split, images="clean")


def summarise_retrieval(
    retrieval_ranks, oracle_ranks, folds, parameters: RetrievalParameters, seed: int, bilinear_ranks=None, *, split: str
):
    """Metrics with intervals and chance, and the model's paired differences to the other methods.

    ``bilinear_ranks`` are empty where the baseline has not been run: it is then left out, with a warning. None: there
    is no baseline.

    Returns
    -------
    metrics, differences

    Raises
    ------
    ValueError
        If the baseline has ranked other queries than the model, or among another number of sampled candidates.
    """
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks

    if bilinear_ranks is not None:
        _check_baseline(retrieval_ranks, bilinear_ranks, parameters, split)
    tables = (retrieval_ranks, bilinear_ranks, oracle_ranks)
    ranks = pd.concat([table for table in tables if table is not None and len(table)], ignore_index=True)
    metrics = summarise_ranks(ranks, parameters.top_k, parameters.confidence, seed)
    others = {method: table for method, table in ranks.groupby("method", sort=False) if method != "CLOOME"}
    # Without any other method: the empty table.
    differences = pd.concat(
        [
            compare_ranks(retrieval_ranks, table, f"method {method}", parameters.top_k, parameters.confidence, seed)
            for method, table in (others or {"nothing": ranks.iloc[:0]}).items()
        ],
        ignore_index=True,
    )
    identity = split_hash(folds)
    return metrics.assign(split_hash=identity), differences.assign(split_hash=identity)


def _check_baseline(ranks, bilinear_ranks, parameters: RetrievalParameters, split: str) -> None:
    """Refuse ranks of the baseline that are not comparable; warn if there are none."""
    import pandas as pd

    if bilinear_ranks.empty:
        logger.warning(
            "%s: the bilinear baseline has not been run with this variant and seed and is left out; the pipelines "
            "profiles,bilinear make it",
            split,
        )
        return
    keys = ["direction", "pool", "shown_by", "draw", "query", "match"]
    theirs, ours = (pd.MultiIndex.from_frame(table[keys]) for table in (bilinear_ranks, ranks))
    if not theirs.isin(ours).all() or bilinear_ranks["draw"].max() != ranks["draw"].max():
        raise ValueError(
            f"{split}.bilinear_ranks are of other queries than {split}.retrieval_ranks (other folds, other pairs or "
            "another params:retrieval.fold or .draws): run the pipeline bilinear again"
        )
    largest = bilinear_ranks.groupby("pool")["candidates"].max()
    if (found := largest["sampled"]) != min(parameters.pool_size, largest["full"]):
        raise ValueError(
            f"{split}.bilinear_ranks are among {found} sampled candidates, params:retrieval say "
            f"{parameters.pool_size}: run the pipeline bilinear again"
        )

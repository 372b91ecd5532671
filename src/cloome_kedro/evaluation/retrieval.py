"""Cross-modal retrieval: which compound made this image, and which image does this compound make.

One field stands for each compound, so that field i and compound i match. A *space* gives, for a direction, the vectors
of the queries and of the candidates, (N, d) each, whose dot products rank the candidates.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.ranks import Ties, check_pool, match_ranks, pair_scores, resolve_ties, top_k

logger = logging.getLogger(__name__)

STRUCTURE_RETRIEVAL = "structure retrieval"  # a field is the query, structures are ranked
IMAGE_RETRIEVAL = "image retrieval"  # a structure is the query, fields are ranked

Spaces = Mapping[str, tuple[np.ndarray, np.ndarray]]
Keys = Sequence[str] | pd.Series


def draw_fields(pairs: pd.DataFrame, inchikeys: Keys, seed: int) -> pd.DataFrame:
    """Draw one field for each compound, all its fields equally likely.

    Parameters
    ----------
    pairs
        Table ``pairs``; the order of its rows does not matter.
    inchikeys
        Compounds; those without a field are left out.
    seed
        Of the draw.

    Returns
    -------
    pd.DataFrame
        Rows of ``pairs``, one a compound, sorted by InChIKey.
    """
    pairs = pairs[pairs["inchikey"].isin(inchikeys)].sort_values(["inchikey", "field_id"], ignore_index=True)
    counts = pairs.groupby("inchikey", sort=True).size().to_numpy()
    drawn = np.random.default_rng(seed).integers(0, counts)
    return pairs.iloc[np.cumsum(counts) - counts + drawn].reset_index(drop=True)


def draw_queries(pairs: pd.DataFrame, folds: pd.DataFrame, fold: str, seed: int, split: str) -> pd.DataFrame:
    """One field of each compound of a fold, the same for every method that is compared.

    Parameters
    ----------
    pairs, folds
        Tables of these names.
    fold
        Whose compounds are queries.
    seed
        Of the draw (see :func:`draw_fields`).
    split
        Named in messages.

    Raises
    ------
    ValueError
        If no compound of the fold has a field.
    """
    compounds = folds.loc[folds["fold"] == fold, "inchikey"]
    queries = draw_fields(pairs, compounds, seed)
    if queries.empty:
        raise ValueError(f"{split}.folds: no compound of the {fold} fold has a field in pairs")
    missing = f" ({len(compounds) - len(queries)} have none)" if len(queries) < len(compounds) else ""
    logger.info("%s split, %s fold: one field for each of %d compounds%s", split, fold, len(queries), missing)
    return queries


def sampled_ranks(
    queries: ArrayLike,
    candidates: ArrayLike,
    match: ArrayLike,
    n_candidates: int,
    seed: int,
    ties: Ties = "pessimistic",
) -> np.ndarray:
    """Rank each query's match among ``n_candidates - 1`` others, drawn for it without replacement.

    Parameters
    ----------
    queries, candidates, match, ties
        As in :func:`~cloome_kedro.evaluation.ranks.match_ranks`. Candidates are one a compound: any that is not the
        match can be drawn against it.
    n_candidates
        Size of a query's pool, the match included; where there are fewer candidates, all of them.
    seed
        Of the draws. A query's draw depends on the seed and its match only, not on the order of the queries.

    Returns
    -------
    np.ndarray
        (N,) ranks, 1 = best.

    Raises
    ------
    ValueError
        As ``match_ranks``, and if ``n_candidates`` is less than 1.
    """
    queries, candidates, match = check_pool(queries, candidates, match)
    if n_candidates < 1:
        raise ValueError(f"sampled_ranks: n_candidates is {n_candidates}, must be at least 1")
    n, others = len(queries), len(candidates) - 1
    drawn = np.empty((n, min(n_candidates - 1, others)), np.int64)
    for row, own in zip(drawn, match, strict=True):
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(own),)))
        row[:] = generator.choice(others, row.size, replace=False, shuffle=False)
    drawn += drawn >= match[:, None]  # step over the match

    own_scores = pair_scores(queries, candidates, np.arange(n), match)[:, None]
    scores = pair_scores(queries, candidates, np.repeat(np.arange(n), drawn.shape[1]), drawn.ravel()).reshape(
        drawn.shape
    )
    return resolve_ties((scores > own_scores).sum(axis=1), (scores == own_scores).sum(axis=1), ties, seed)


def rank_both_ways(
    spaces: Spaces,
    field_ids: Keys,
    inchikeys: Keys,
    n_candidates: int,
    seed: int,
    ties: Ties = "pessimistic",
) -> pd.DataFrame:
    """Rank every match, in both directions, in the full and in the sampled pool.

    Parameters
    ----------
    spaces
        Direction -> vectors of queries and candidates. Queries of structure retrieval and candidates of image retrieval
        are in the order of ``field_ids``, the others in that of ``inchikeys``.
    field_ids, inchikeys
        (N,) keys: field i shows compound i.
    n_candidates, seed, ties
        As in :func:`sampled_ranks`.

    Returns
    -------
    pd.DataFrame
        Columns direction, pool, candidates (size of the pool, the match included), query, match, rank.
    """
    keys = {STRUCTURE_RETRIEVAL: (field_ids, inchikeys), IMAGE_RETRIEVAL: (inchikeys, field_ids)}
    match = np.arange(len(field_ids))
    tables = []
    for direction, (queries, candidates) in spaces.items():
        for pool, size, ranks in (
            ("full", len(match), match_ranks(queries, candidates, match, ties, seed)),
            (
                "sampled",
                min(n_candidates, len(match)),
                sampled_ranks(queries, candidates, match, n_candidates, seed, ties),
            ),
        ):
            columns = {"direction": direction, "pool": pool, "candidates": size}
            query, matched = keys[direction]
            tables.append(pd.DataFrame({**columns, "query": query, "match": matched, "rank": ranks}))
    return pd.concat(tables, ignore_index=True)


def retrieval_accuracies(
    images: np.ndarray, structures: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Top-k accuracies in the full pool of N pairs, (N, d) each; ties count against the match.

    Returns
    -------
    dict
        ``top<k>_structure_retrieval``, ``top<k>_image_retrieval``, and ``top<k>``, the mean of both.
    """
    match = np.arange(len(images))
    of_structures, of_images = (
        top_k(match_ranks(queries, candidates, match), ks)
        for queries, candidates in ((images, structures), (structures, images))
    )
    metrics = {}
    for k, by_image, by_structure in zip(ks, of_structures, of_images, strict=True):
        metrics[f"top{k}"] = float(by_image + by_structure) / 2
        metrics[f"top{k}_structure_retrieval"] = float(by_image)
        metrics[f"top{k}_image_retrieval"] = float(by_structure)
    return metrics


def summarise_ranks(ranks: pd.DataFrame, top_k: Sequence[int], confidence: float) -> pd.DataFrame:
    """Top-k accuracies with exact intervals, mean and median ranks, and what chance gives.

    Parameters
    ----------
    ranks
        Table ``retrieval_ranks`` of one method or several.
    top_k
        The k of top-k accuracy.
    confidence
        Of the exact (Clopper-Pearson) intervals.

    Returns
    -------
    pd.DataFrame
        Table ``retrieval_metrics`` without its split hash. Rows of the method ``Random`` hold the exact expectation of
        a ranking at random, k / candidates or (candidates + 1) / 2, not a draw: without successes or interval.
    """
    keys = ["split", "method", "direction", "pool", "candidates"]
    rows = []
    for values, group in ranks.groupby(keys, sort=False):
        task = dict(zip(keys, values, strict=True))
        rank, size = group["rank"].to_numpy(), int(group["candidates"].iloc[0])
        for k in top_k:
            successes = int((rank <= k).sum())
            low, high = exact_interval(successes, len(rank), confidence)
            accuracy = {"value": successes / len(rank), "successes": successes, "low": low, "high": high}
            rows.append({**task, "metric": f"top-{k}", "n": len(rank), **accuracy, "chance": min(k, size) / size})
        for name, value in (("mean rank", rank.mean()), ("median rank", np.median(rank))):
            rows.append({**task, "metric": name, "n": len(rank), "value": float(value), "chance": (size + 1) / 2})
    metrics = pd.DataFrame(rows, columns=[*keys, "metric", "value", "n", "successes", "low", "high", "chance"])
    random = metrics.assign(method="Random", value=metrics["chance"], successes=None, low=np.nan, high=np.nan)
    metrics = pd.concat([metrics, random.drop_duplicates([*keys, "metric"])], ignore_index=True)
    return metrics.astype({"successes": "Int64", "low": float, "high": float})

"""Cross-modal retrieval: which compound made this image, and which image does this compound make.

A compound is represented by one field that is drawn from its fields, or by the mean over all of them. So image i and
compound i match. A *space* holds, for each direction, the vectors of queries and of candidates, (N, d) each. Their dot
products rank the candidates.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.draws import draw_queries, draw_seed, mean_by_compound
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.pair_scores import pair_scores
from cloome_kedro.evaluation.ranks import Pools, Ties, check_pool, match_ranks, resolve_ties, top_k
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, RETRIEVAL

logger = logging.getLogger(__name__)

_PAIRS = 1 << 18  # queries x candidates whose scores are held in memory at a time
_FEW = 128  # candidates of a pool that is kept for the next method

#: direction -> vectors of queries and of candidates
Spaces = Mapping[str, tuple[np.ndarray, np.ndarray]]
Keys = Sequence[str] | pd.Series | np.ndarray


def both_ways(fields: np.ndarray, compounds: np.ndarray) -> Spaces:
    """Queries and candidates of both directions, from N fields and the compounds that they show, (N, d) each."""
    return {IMAGE_TO_COMPOUND: (fields, compounds), COMPOUND_TO_IMAGE: (compounds, fields)}


def fold_fields(examples: pd.DataFrame, fold: str) -> pd.DataFrame:
    """All fields of the compounds of a fold, sorted by compound and field.

    Parameters
    ----------
    examples
        Table of that name. The order of rows does not matter.
    fold
        Name of the fold.

    Raises
    ------
    ValueError
        If no compound of the fold has a field.
    """
    fields = examples[examples["fold"] == fold].sort_values(["inchikey", "field_id"], ignore_index=True)
    if fields.empty:
        raise ValueError(f"examples: no compound of the {fold} fold has a field")
    split = fields["split"].iloc[0]
    logger.info("%s split, %s fold: %d fields of %d compounds", split, fold, len(fields), fields["inchikey"].nunique())
    return fields


def _draw_others(match: int, n_others: int, size: int, seed: int) -> np.ndarray:
    """Draw ``size`` of the ``n_others`` candidates that are not the match."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(match,)))
    drawn = generator.choice(n_others, size, replace=False, shuffle=False)
    drawn += drawn >= match  # skip the match
    return drawn


#: every method and corruption of a study draws the same pools; 32 MiB of pools of 128 candidates
_draw_few_others = lru_cache(1 << 15)(_draw_others)


def sampled_ranks(
    queries: ArrayLike,
    candidates: ArrayLike,
    match: ArrayLike,
    n_candidates: int,
    seed: int,
    ties: Ties = "pessimistic",
) -> np.ndarray:
    """Rank each query's match among ``n_candidates - 1`` others, which are drawn for the query without replacement.

    Parameters
    ----------
    queries, candidates, match, ties
        As in :func:`~cloome_kedro.evaluation.ranks.match_ranks`. There must be one candidate per compound, since any
        candidate that is not the match can be drawn.
    n_candidates
        Size of a query's pool, including the match. If there are fewer candidates, the pool has all of them.
    seed
        Seed of the draws. The draw of a query depends only on the seed and its match, not on the order of the queries.

    Returns
    -------
    numpy.ndarray
        (N,) ranks, 1 is best.

    Raises
    ------
    ValueError
        As ``match_ranks``, and if ``n_candidates`` is less than 1.

    Notes
    -----
    Memory does not grow with N x ``n_candidates``.

    Examples
    --------
    In pools of two, the match of the first query is always first, and that of the second query always last:

    >>> sampled_ranks([[1.0], [-1.0]], [[3.0], [2.0], [1.0]], [0, 0], n_candidates=2, seed=0)
    array([1, 2])
    """
    queries, candidates, match = check_pool(queries, candidates, match)
    if n_candidates < 1:
        raise ValueError(f"sampled_ranks: n_candidates is {n_candidates}, must be at least 1")
    n, n_others = len(queries), len(candidates) - 1
    size = min(n_candidates - 1, n_others)
    draw = _draw_few_others if size <= _FEW else _draw_others
    above, tied = np.zeros(n, np.int64), np.zeros(n, np.int64)
    step = max(1, _PAIRS // max(1, size))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        drawn = np.concatenate([draw(row, n_others, size, seed) for row in match[rows].tolist()])
        scores = pair_scores(queries, candidates, np.repeat(rows, size), drawn).reshape(len(rows), size)
        match_scores = pair_scores(queries, candidates, rows, match[rows])[:, None]
        above[rows], tied[rows] = (scores > match_scores).sum(axis=1), (scores == match_scores).sum(axis=1)
    return resolve_ties(above, tied, ties, seed)


@dataclass(frozen=True)
class Draws:
    """How queries and candidates are drawn.

    Attributes
    ----------
    candidates
        Size of a sampled pool, including the match.
    number
        Number of draws of fields and of sampled candidates.
    seed
        Seed, from which :func:`~cloome_kedro.evaluation.draws.draw_seed` makes the seed of each draw.
    """

    candidates: int
    number: int
    seed: int


def rank_method(method: Method, fields: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    """Rank every match in both directions.

    First, one drawn field represents each compound. Matches are ranked in the full pool and in sampled pools. Draw 0
    also has the pool ``same plate``: the compounds whose drawn field is on the plate of the query. In this pool,
    features that all fields of a plate share give no advantage.

    Then the mean over all its fields represents each compound. The full pool is ranked once, and sampled pools are
    ranked in all draws.

    Fields and compounds that the method does not know are neither queries nor candidates. Draws do not depend on the
    method.

    Parameters
    ----------
    method
        Method with vectors of compounds.
    fields
        Result of :func:`fold_fields`.
    draws
        How queries and candidates are drawn.

    Returns
    -------
    pandas.DataFrame
        Table ``ranks`` without the columns ``split``, ``method`` and ``images``.

    Raises
    ------
    ValueError
        If the method knows no field of a draw.
    """
    assert method.compounds is not None
    known = _known(method, fields)
    drawn_fields = [
        table[_known(method, table)].reset_index(drop=True) for table in draw_queries(fields, draws.seed, draws.number)
    ]
    if any(table.empty for table in drawn_fields):
        raise ValueError(f"{fields['split'].iloc[0]} split: the method knows none of the fields of a draw")
    tables = []
    for draw, table in enumerate(drawn_fields):
        spaces = both_ways(method.fields.of(table["field_id"]), method.compounds.of(table["inchikey"]))
        pools = {"full": None, "sampled": draws.candidates}
        plates = table["plate"] if draw == 0 else None
        seed = draw_seed(draws.seed, draw)
        ranks = _rank(spaces, table["field_id"], table["inchikey"], pools, seed, method.ties, plates)
        tables.append(ranks.assign(shown_by="field", draw=draw))

    known_fields = fields[known]
    vectors = method.fields.for_means(known_fields["field_id"], known_fields["inchikey"].to_numpy())
    keys, means = mean_by_compound(vectors, known_fields)
    spaces = both_ways(unit_rows(means) if method.normalised else means, method.compounds.of(keys))
    for draw in range(draws.number):
        pools = {"full": None, "sampled": draws.candidates} if draw == 0 else {"sampled": draws.candidates}
        ranks = _rank(spaces, keys, keys, pools, draw_seed(draws.seed, draw), method.ties)
        tables.append(ranks.assign(shown_by="mean", draw=draw))
    return pd.concat(tables, ignore_index=True)


def _known(method: Method, fields: pd.DataFrame) -> np.ndarray:
    """Whether the method has the vectors of a field and of its compound: (N,) bool."""
    assert method.compounds is not None
    return method.fields.knows(fields["field_id"]) & method.compounds.knows(fields["inchikey"])


def _rank(
    spaces: Spaces,
    images: Keys,
    inchikeys: Keys,
    pools: Mapping[str, int | None],
    seed: int,
    ties: Ties,
    plates: pd.Series | None = None,
) -> pd.DataFrame:
    """Rank in both directions and in each pool.

    Parameters
    ----------
    pools
        Name of each pool -> its size if it is sampled, None if it has all candidates.
    plates
        Plate of each image. If given, there is also the pool ``same plate``.
    """
    keys = {IMAGE_TO_COMPOUND: (images, inchikeys), COMPOUND_TO_IMAGE: (inchikeys, images)}
    n = len(inchikeys)
    match = np.arange(n)
    tables = []
    for direction, (queries, candidates) in spaces.items():
        sizes_and_ranks: dict[str, tuple] = {}
        for pool, size in pools.items():
            if size is None:
                sizes_and_ranks[pool] = n, match_ranks(queries, candidates, match, ties, seed)
            else:
                sizes_and_ranks[pool] = min(size, n), sampled_ranks(queries, candidates, match, size, seed, ties)
        if plates is not None:
            codes, names = pd.factorize(plates)
            allowed = Pools(codes, codes == np.arange(len(names))[:, None])
            ranks = match_ranks(queries, candidates, match, ties, seed, allowed)
            sizes_and_ranks["same plate"] = np.bincount(codes)[codes], ranks
        query_keys, match_keys = keys[direction]
        tables += [
            pd.DataFrame(
                {
                    "task": RETRIEVAL,
                    "direction": direction,
                    "pool": pool,
                    "excluded": None,
                    "candidates": size,
                    "query": query_keys,
                    "match": match_keys,
                    "compound": inchikeys,
                    "rank": ranks,
                }
            )
            for pool, (size, ranks) in sizes_and_ranks.items()
        ]
    return pd.concat(tables, ignore_index=True)


def retrieval_accuracies(images: np.ndarray, compounds: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Top-k accuracies in the full pool of N pairs, (N, d) each. Ties count against the match.

    Returns
    -------
    dict
        ``top<k>_image_to_compound``, ``top<k>_compound_to_image``, and ``top<k>``, the mean of both.

    Examples
    --------
    >>> images, compounds = np.array([[1.0, 0.0], [0.8, 0.6]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> retrieval_accuracies(images, compounds, ks=[1])
    {'top1': 0.75, 'top1_image_to_compound': 0.5, 'top1_compound_to_image': 1.0}
    """
    match = np.arange(len(images))
    image_to_compound = top_k(match_ranks(images, compounds, match), ks)
    compound_to_image = top_k(match_ranks(compounds, images, match), ks)
    metrics = {}
    for k, from_image, from_compound in zip(ks, image_to_compound, compound_to_image, strict=True):
        metrics[f"top{k}"] = float(from_image + from_compound) / 2
        metrics[f"top{k}_image_to_compound"] = float(from_image)
        metrics[f"top{k}_compound_to_image"] = float(from_compound)
    return metrics

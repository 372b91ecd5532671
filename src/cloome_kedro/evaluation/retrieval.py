"""Cross-modal retrieval: which compound made this image, and which image does this compound make.

A compound is shown by one field drawn from its own, or by the mean over all of them, so that image i and compound i
match. A *space* gives, for a direction, the vectors of the queries and of the candidates, (N, d) each, whose dot
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
from cloome_kedro.evaluation.ranks import Pools, Ties, check_pool, match_ranks, pair_scores, resolve_ties, top_k
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, RETRIEVAL

logger = logging.getLogger(__name__)

Spaces = Mapping[str, tuple[np.ndarray, np.ndarray]]
Keys = Sequence[str] | pd.Series | np.ndarray


def both_ways(fields: np.ndarray, compounds: np.ndarray) -> Spaces:
    """The space of N fields and the compounds that they show, (N, d) each."""
    return {IMAGE_TO_COMPOUND: (fields, compounds), COMPOUND_TO_IMAGE: (compounds, fields)}


def fold_fields(examples: pd.DataFrame, fold: str) -> pd.DataFrame:
    """All fields of the compounds of a fold, sorted by compound and field.

    Parameters
    ----------
    examples
        Table of that name; the order of rows does not matter.
    fold
        Whose compounds are meant.

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


@lru_cache(1 << 15)  # every method and corruption of a study asks for the same pools
def _others(match: int, n: int, size: int, seed: int) -> np.ndarray:
    """``size`` of the ``n`` candidates that are not the match."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(match,)))
    drawn = generator.choice(n, size, replace=False, shuffle=False)
    drawn += drawn >= match  # step over the match
    return drawn


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
        As in :func:`~cloome_kedro.evaluation.ranks.match_ranks`. There is one candidate for each compound: any that
        is not the match can be drawn against it.
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
    for row, own in zip(drawn, match.tolist(), strict=True):
        row[:] = _others(own, others, row.size, seed)

    own_scores = pair_scores(queries, candidates, np.arange(n), match)[:, None]
    scores = pair_scores(queries, candidates, np.repeat(np.arange(n), drawn.shape[1]), drawn.ravel()).reshape(
        drawn.shape
    )
    return resolve_ties((scores > own_scores).sum(axis=1), (scores == own_scores).sum(axis=1), ties, seed)


@dataclass(frozen=True)
class Draws:
    """How queries are drawn.

    Attributes
    ----------
    candidates
        Size of a sampled pool, the match included.
    number
        Draws of fields and of sampled candidates.
    seed
        Draw k is made by :func:`~cloome_kedro.evaluation.draws.draw_seed`.
    """

    candidates: int
    number: int
    seed: int


def rank_method(method: Method, fields: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    """Rank every match in both directions, where one drawn field shows a compound, and where the mean over all does.

    With drawn fields, pools are full and sampled. In draw 0 there is also the pool ``same plate``, of the compounds
    whose drawn field is on the query's plate: there, what a plate's fields have in common is no help. With means, the
    full pool is ranked once, and sampled pools over all draws.

    Fields and compounds that the method does not know are left out, as queries and as candidates. The draws do not
    depend on the method.

    Parameters
    ----------
    method
        One that has vectors of compounds.
    fields
        Of :func:`fold_fields`.
    draws
        How queries are drawn.

    Returns
    -------
    pandas.DataFrame
        Table ``ranks`` without split, method and images.

    Raises
    ------
    ValueError
        If the method knows no field of a draw.
    """
    assert method.compounds is not None
    known = _known(method, fields)
    drawn = [
        table[_known(method, table)].reset_index(drop=True) for table in draw_queries(fields, draws.seed, draws.number)
    ]
    if any(table.empty for table in drawn):
        raise ValueError(f"{fields['split'].iloc[0]} split: the method knows no field that was drawn")
    tables = []
    for draw, table in enumerate(drawn):
        spaces = both_ways(method.fields.of(table["field_id"]), method.compounds.of(table["inchikey"]))
        pools = {"full": None, "sampled": draws.candidates}
        plates = table["plate"] if draw == 0 else None
        seed = draw_seed(draws.seed, draw)
        found = _rank(spaces, table["field_id"], table["inchikey"], pools, seed, method.ties, plates)
        tables.append(found.assign(shown_by="field", draw=draw))

    shown = fields[known]
    keys, means = mean_by_compound(method.fields.of(shown["field_id"]), shown)
    spaces = both_ways(unit_rows(means) if method.normalised else means, method.compounds.of(keys))
    for draw in range(draws.number):
        pools = {"full": None, "sampled": draws.candidates} if draw == 0 else {"sampled": draws.candidates}
        found = _rank(spaces, keys, keys, pools, draw_seed(draws.seed, draw), method.ties)
        tables.append(found.assign(shown_by="mean", draw=draw))
    return pd.concat(tables, ignore_index=True)


def _known(method: Method, fields: pd.DataFrame) -> np.ndarray:
    """Fields of which the method has the vector, and that of their compound."""
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
    """Ranks in both directions and each pool: name -> size of the sample, or None for the full pool."""
    keys = {IMAGE_TO_COMPOUND: (images, inchikeys), COMPOUND_TO_IMAGE: (inchikeys, images)}
    n = len(inchikeys)
    match = np.arange(n)
    tables = []
    for direction, (queries, candidates) in spaces.items():
        found: dict[str, tuple] = {}
        for pool, size in pools.items():
            if size is None:
                found[pool] = n, match_ranks(queries, candidates, match, ties, seed)
            else:
                found[pool] = min(size, n), sampled_ranks(queries, candidates, match, size, seed, ties)
        if plates is not None:
            codes, names = pd.factorize(plates)
            allowed = Pools(codes, codes == np.arange(len(names))[:, None])
            ranks = match_ranks(queries, candidates, match, ties, seed, allowed)
            found["same plate"] = np.bincount(codes)[codes], ranks
        query, matched = keys[direction]
        tables += [
            pd.DataFrame(
                {
                    "task": RETRIEVAL,
                    "direction": direction,
                    "pool": pool,
                    "excluded": None,
                    "candidates": size,
                    "query": query,
                    "match": matched,
                    "compound": inchikeys,
                    "rank": ranks,
                }
            )
            for pool, (size, ranks) in found.items()
        ]
    return pd.concat(tables, ignore_index=True)


def retrieval_accuracies(images: np.ndarray, compounds: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Top-k accuracies in the full pool of N pairs, (N, d) each; ties count against the match.

    Returns
    -------
    dict
        ``top<k>_image_to_compound``, ``top<k>_compound_to_image``, and ``top<k>``, the mean of both.
    """
    match = np.arange(len(images))
    of_compounds, of_images = (
        top_k(match_ranks(queries, candidates, match), ks)
        for queries, candidates in ((images, compounds), (compounds, images))
    )
    metrics = {}
    for k, by_image, by_compound in zip(ks, of_compounds, of_images, strict=True):
        metrics[f"top{k}"] = float(by_image + by_compound) / 2
        metrics[f"top{k}_image_to_compound"] = float(by_image)
        metrics[f"top{k}_compound_to_image"] = float(by_compound)
    return metrics

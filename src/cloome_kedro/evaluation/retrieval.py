"""Cross-modal retrieval: which compound made this image, and which image does this compound make.

A compound is shown by one field drawn from its own, or by the mean over all of them, so that image i and compound i
match. A *space* gives, for a direction, the vectors of the queries and of the candidates, (N, d) each, whose dot
products rank the candidates.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.draws import draw_queries, draw_seed, mean_by_compound
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.ranks import Pools, Ties, check_pool, match_ranks, pair_scores, resolve_ties, top_k

logger = logging.getLogger(__name__)

STRUCTURE_RETRIEVAL = "structure retrieval"  # an image is the query, structures are ranked
IMAGE_RETRIEVAL = "image retrieval"  # a structure is the query, images are ranked

Spaces = Mapping[str, tuple[np.ndarray, np.ndarray]]
Keys = Sequence[str] | pd.Series | np.ndarray


def both_ways(images: np.ndarray, structures: np.ndarray) -> Spaces:
    """The space of N images and the structures that they show, (N, d) each."""
    return {STRUCTURE_RETRIEVAL: (images, structures), IMAGE_RETRIEVAL: (structures, images)}


def fold_fields(pairs: pd.DataFrame, folds: pd.DataFrame, fold: str, split: str) -> pd.DataFrame:
    """All fields of the compounds of a fold, sorted by compound and field; the order of rows does not matter.

    Parameters
    ----------
    pairs, folds
        Tables of these names.
    fold
        Whose compounds are meant.
    split
        Named in messages.

    Raises
    ------
    ValueError
        If no compound of the fold has a field.
    """
    compounds = folds.loc[folds["fold"] == fold, "inchikey"]
    fields = pairs[pairs["inchikey"].isin(compounds)].sort_values(["inchikey", "field_id"], ignore_index=True)
    if fields.empty:
        raise ValueError(f"{split}.folds: no compound of the {fold} fold has a field in pairs")
    shown = fields["inchikey"].nunique()
    missing = f" ({len(compounds) - shown} have none)" if shown < len(compounds) else ""
    logger.info("%s split, %s fold: %d fields of %d compounds%s", split, fold, len(fields), shown, missing)
    return fields


@lru_cache(1 << 15)  # a study asks for the same pools again for every method and corruption
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
    for row, own in zip(drawn, match.tolist(), strict=True):
        row[:] = _others(own, others, row.size, seed)

    own_scores = pair_scores(queries, candidates, np.arange(n), match)[:, None]
    scores = pair_scores(queries, candidates, np.repeat(np.arange(n), drawn.shape[1]), drawn.ravel()).reshape(
        drawn.shape
    )
    return resolve_ties((scores > own_scores).sum(axis=1), (scores == own_scores).sum(axis=1), ties, seed)


def field_ranks(
    queries: Sequence[pd.DataFrame],
    spaces: Iterable[Spaces],
    n_candidates: int,
    seed: int,
    ties: Ties = "pessimistic",
) -> pd.DataFrame:
    """Rank every match where one drawn field shows a compound, in both directions.

    Pools are full and sampled; in draw 0 also those whose field is on the plate of the query's (``same plate``): there,
    what a plate's fields have in common is no help.

    Parameters
    ----------
    queries
        As :func:`~cloome_kedro.evaluation.draws.draw_queries` gives them; compounds that a method cannot rank may be
        left out.
    spaces
        One a draw: images and structures in the order of the draw's rows.
    n_candidates, ties
        As in :func:`sampled_ranks`.
    seed
        Candidates of draw k are drawn by :func:`~cloome_kedro.evaluation.draws.draw_seed`.

    Returns
    -------
    pd.DataFrame
        Table ``ranks`` but for split, method and images.
    """
    tables = []
    for draw, (drawn, space) in enumerate(zip(queries, spaces, strict=True)):
        found = _rank(
            space,
            drawn["field_id"],
            drawn["inchikey"],
            {"full": None, "sampled": n_candidates},
            draw_seed(seed, draw),
            ties,
            plates=drawn["plate"] if draw == 0 else None,
        )
        tables.append(found.assign(shown_by="field", draw=draw))
    return pd.concat(tables, ignore_index=True)


def mean_ranks(
    spaces: Spaces, inchikeys: Keys, n_candidates: int, seed: int, draws: int, ties: Ties = "pessimistic"
) -> pd.DataFrame:
    """Rank every match where the mean over its fields shows a compound: the full pool once, sampled ones over draws.

    Parameters
    ----------
    spaces
        Of compounds' means and structures, in the order of ``inchikeys``.
    inchikeys
        (N,) compounds.
    n_candidates, seed, ties
        As in :func:`field_ranks`.
    draws
        Of sampled candidates.

    Returns
    -------
    pd.DataFrame
        As :func:`field_ranks` does.
    """
    tables = []
    for draw in range(draws):
        pools = {"full": None, "sampled": n_candidates} if draw == 0 else {"sampled": n_candidates}
        found = _rank(spaces, inchikeys, inchikeys, pools, draw_seed(seed, draw), ties)
        tables.append(found.assign(shown_by="mean", draw=draw))
    return pd.concat(tables, ignore_index=True)


def embedding_ranks(
    images: Callable[[Keys], np.ndarray],
    structures: Callable[[Keys], np.ndarray],
    fields: pd.DataFrame,
    n_candidates: int,
    seed: int,
    draws: int,
) -> pd.DataFrame:
    """Rank by embeddings: :func:`field_ranks` and, of L2-normalised means over fields, :func:`mean_ranks`.

    ``images`` and ``structures`` give the embeddings, (N, d) with unit rows, of field_ids and of InChIKeys; ``fields``
    are those of :func:`fold_fields`; the rest is as in the two functions.
    """
    queries = draw_queries(fields, seed, draws)
    spaces = (both_ways(images(drawn["field_id"]), structures(drawn["inchikey"])) for drawn in queries)
    by_field = field_ranks(queries, spaces, n_candidates, seed)
    keys, means = mean_by_compound(images(fields["field_id"]), fields)
    by_mean = mean_ranks(both_ways(unit_rows(means), structures(keys)), keys, n_candidates, seed, draws)
    return pd.concat([by_field, by_mean], ignore_index=True)


def _rank(spaces: Spaces, images: Keys, inchikeys: Keys, pools, seed: int, ties: Ties, plates=None) -> pd.DataFrame:
    """Ranks in both directions and each pool: name -> size of the sample, or none for the full pool."""
    keys = {STRUCTURE_RETRIEVAL: (images, inchikeys), IMAGE_RETRIEVAL: (inchikeys, images)}
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
                    "task": "retrieval",
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

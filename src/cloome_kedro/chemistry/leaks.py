"""Find structures, scaffolds and near-duplicates that the folds of a split share."""

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import pandas as pd
from tqdm import tqdm

from cloome_kedro.chemistry.fingerprints import count_bits, unpack
from cloome_kedro.words import FOLDS

_BLOCK = 2048  # fingerprints per block; with 8,192 bits, a block of float32 takes 64 MiB


@dataclass(frozen=True)
class Nearest:
    """The most similar fingerprint of another set, for each of N fingerprints.

    Attributes
    ----------
    similarity
        Tanimoto coefficient, (N,); 0 if no fingerprint of the other set reaches the threshold.
    row
        Row of the most similar fingerprint in the other set, (N,); -1 if there is none.
    """

    similarity: np.ndarray
    row: np.ndarray


def find_leaks(
    folds: pd.DataFrame, compounds: pd.DataFrame, fingerprints: np.ndarray, near_duplicate: float = 0.95
) -> pd.DataFrame:
    """Count the compounds of one fold that have a relative in another fold, for every ordered pair of folds.

    There are three kinds of relatives:

    - ``structure``: the first block of the InChIKey is the same.
    - ``scaffold``: the Bemis-Murcko scaffold is the same.
    - ``near-duplicate``: the Tanimoto coefficient of the fingerprints is at least ``near_duplicate``.

    Parameters
    ----------
    folds
        Columns ``inchikey``, ``fold``.
    compounds
        Columns ``inchikey``, ``block``, ``scaffold``. It has a row for every compound of ``folds``.
    fingerprints
        Packed fingerprints of ``compounds``, in the same order, uint8 (N, bits / 8).
    near_duplicate
        Smallest Tanimoto coefficient of near-duplicates, in (0, 1].

    Returns
    -------
    One row per kind and ordered pair of folds:

    - ``kind``, ``fold``, ``other_fold``
    - ``compounds``: number of compounds of ``fold`` with a relative in ``other_fold``
    - ``of``: number of compounds of ``fold``
    - ``example``: the structure or scaffold that most of these compounds have, or the most similar pair; None if there
      are no relatives

    Raises
    ------
    ValueError
        If a compound is unknown, or if the numbers of fingerprints and compounds differ.
    """
    if len(fingerprints) != len(compounds):
        raise ValueError(
            f"there are {len(fingerprints)} fingerprints but {len(compounds)} compounds: run the pipeline "
            "featurization again"
        )
    known = compounds[["inchikey", "block", "scaffold"]].assign(row=np.arange(len(compounds)))
    members = folds.merge(known, on="inchikey", how="left")
    if (unknown := members["row"].isna()).any():
        raise ValueError(
            f"compound {members.loc[unknown, 'inchikey'].iloc[0]} of the folds is not in the compound table"
        )
    by_fold = {fold: members[members["fold"] == fold] for fold in FOLDS}
    rows = []
    for kind, column in (("structure", "block"), ("scaffold", "scaffold")):
        for fold, other_fold in permutations(FOLDS, 2):
            values = by_fold[fold][column]
            shared = values[values.isin(by_fold[other_fold][column])]
            example = shared.value_counts().index[0] if len(shared) else None
            rows.append((kind, fold, other_fold, len(shared), len(values), example))
    packed = {fold: fingerprints[table["row"].to_numpy(int)] for fold, table in by_fold.items()}
    keys = {fold: table["inchikey"].to_numpy() for fold, table in by_fold.items()}
    for pair in combinations(FOLDS, 2):
        both_ways = nearest(packed[pair[0]], packed[pair[1]], near_duplicate)
        for (fold, other_fold), near in zip((pair, pair[::-1]), both_ways, strict=True):
            example = None
            if near.similarity.any():
                best = int(near.similarity.argmax())
                other_key = keys[other_fold][near.row[best]]
                example = f"{keys[fold][best]} and {other_key}, {near.similarity[best]:.3f}"
            count = int((near.similarity > 0).sum())
            rows.append(("near-duplicate", fold, other_fold, count, len(keys[fold]), example))
    return pd.DataFrame(rows, columns=["kind", "fold", "other_fold", "compounds", "of", "example"])


def nearest(first: np.ndarray, second: np.ndarray, threshold: float) -> tuple[Nearest, Nearest]:
    """Find the most similar fingerprint in the other set, for each fingerprint of two sets.

    Pairs with a Tanimoto coefficient below the threshold are ignored. The numbers of common bits are matrix products
    of blocks of fingerprints, so that memory does not grow with N x M. The Tanimoto coefficient of fingerprints with a
    and b bits is at most min(a, b) / max(a, b) (Swamidass & Baldi 2007). A block is therefore only compared with
    fingerprints that have a similar number of bits.

    Parameters
    ----------
    first, second
        Packed fingerprints, uint8 (N, bits / 8) and (M, bits / 8).
    threshold
        Smallest Tanimoto coefficient, in (0, 1].

    Returns
    -------
    For each fingerprint of ``first`` the most similar one of ``second``, and the reverse. If several are equally
    similar, it is the first of them.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold of near-duplicates is {threshold}, but must be above 0 and at most 1")
    n_bits_first, n_bits_second = (count_bits(packed) for packed in (first, second))
    order_first, order_second = (np.argsort(n_bits, kind="stable") for n_bits in (n_bits_first, n_bits_second))
    sorted_n_bits = n_bits_second[order_second]
    best_first, best_second = (Nearest(np.zeros(len(packed)), np.full(len(packed), -1)) for packed in (first, second))
    for start in tqdm(range(0, len(first), _BLOCK), desc="near-duplicates", unit="block", delay=2):
        block_first = order_first[start : start + _BLOCK]
        bits_first = unpack(first[block_first]).astype(np.float32)
        fewest, most = n_bits_first[block_first[0]], n_bits_first[block_first[-1]]
        # The range is one bit wider on each side, because products and quotients are rounded.
        begin = np.searchsorted(sorted_n_bits, int(fewest * threshold) - 1)
        end = np.searchsorted(sorted_n_bits, int(most / threshold) + 1, side="right")
        for start_second in range(begin, end, _BLOCK):
            block_second = order_second[start_second : min(start_second + _BLOCK, end)]
            common = bits_first @ unpack(second[block_second]).astype(np.float32).T  # integers below 2^24 are exact
            union = n_bits_first[block_first][:, None] + n_bits_second[block_second] - common
            # The comparison of float32 values has a tolerance. The exact one follows in float64.
            i, j = np.nonzero(common >= threshold * np.maximum(union, 1) - 0.5)
            similarity = common[i, j].astype(np.float64) / np.maximum(union[i, j], 1)
            is_near = similarity >= threshold
            rows_first, rows_second = block_first[i[is_near]], block_second[j[is_near]]
            _keep_best(best_first, rows_first, rows_second, similarity[is_near])
            _keep_best(best_second, rows_second, rows_first, similarity[is_near])
    return best_first, best_second


def _keep_best(best: Nearest, rows: np.ndarray, other_rows: np.ndarray, similarity: np.ndarray) -> None:
    """Update the most similar fingerprints with new pairs.

    Of equally similar ones, the first row of the other set is kept, so that the result does not depend on the blocks.
    """
    order = np.lexsort((-other_rows, similarity))  # the best pair of each row comes last
    rows, other_rows, similarity = rows[order], other_rows[order], similarity[order]
    last = pd.Series(np.arange(len(rows)), index=rows).groupby(level=0).last().to_numpy()
    rows, other_rows, similarity = rows[last], other_rows[last], similarity[last]
    is_better = (similarity > best.similarity[rows]) | (
        (similarity == best.similarity[rows]) & (other_rows < best.row[rows])
    )
    best.similarity[rows[is_better]], best.row[rows[is_better]] = similarity[is_better], other_rows[is_better]

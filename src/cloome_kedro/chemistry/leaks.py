"""What the folds of a split share: structures, scaffolds and near-duplicates."""

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import pandas as pd
from tqdm import tqdm

from cloome_kedro.chemistry.fingerprints import unpack
from cloome_kedro.words import FOLDS

_BLOCK = 2048  # fingerprints in a block: 64 MiB of floats at 8,192 bits


@dataclass(frozen=True)
class Nearest:
    """For each of N fingerprints the most similar one of another set.

    ``similarity`` is the Tanimoto coefficient, 0 where none is near; ``row`` is its row in the other set.
    """

    similarity: np.ndarray
    row: np.ndarray


def find_leaks(
    folds: pd.DataFrame, compounds: pd.DataFrame, fingerprints: np.ndarray, near_duplicate: float = 0.95
) -> pd.DataFrame:
    """Count, for every ordered pair of folds, the compounds of one that have a relative in the other.

    Relatives share their ``structure`` (first InChIKey block) or their ``scaffold`` (Bemis-Murcko), or are
    ``near-duplicate`` (Tanimoto coefficient of the fingerprints of at least ``near_duplicate``).

    Parameters
    ----------
    folds
        `inchikey`, `fold`.
    compounds
        `inchikey`, `block`, `scaffold` of at least those compounds.
    fingerprints
        Packed, uint8 (N, bits / 8), in the order of `compounds`.
    near_duplicate
        In (0, 1].

    Returns
    -------
    `kind`, `fold`, `other_fold`, `compounds`, `of` (compounds of `fold`), `example`: the structure or scaffold that
    most of them share, or the most similar pair.

    Raises
    ------
    ValueError
        If a compound is unknown, or the fingerprints are not those of `compounds`.
    """
    if len(fingerprints) != len(compounds):
        raise ValueError(
            f"{len(fingerprints)} fingerprints do not fit {len(compounds)} compounds: run featurization again"
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
        for fold, other in permutations(FOLDS, 2):
            shared = by_fold[fold].loc[by_fold[fold][column].isin(by_fold[other][column]), column]
            example = shared.value_counts().index[0] if len(shared) else None
            rows.append((kind, fold, other, len(shared), len(by_fold[fold]), example))
    packed = {fold: fingerprints[of["row"].to_numpy(int)] for fold, of in by_fold.items()}
    for fold, other in combinations(FOLDS, 2):
        near = nearest(packed[fold], packed[other], near_duplicate)
        for one, two, found in ((fold, other, near[0]), (other, fold, near[1])):
            keys, others = by_fold[one]["inchikey"].to_numpy(), by_fold[two]["inchikey"].to_numpy()
            example = None
            if found.similarity.any():
                best = int(found.similarity.argmax())
                example = f"{keys[best]} and {others[found.row[best]]}, {found.similarity[best]:.3f}"
            rows.append(("near-duplicate", one, two, int((found.similarity > 0).sum()), len(keys), example))
    return pd.DataFrame(rows, columns=["kind", "fold", "other_fold", "compounds", "of", "example"])


def nearest(one: np.ndarray, two: np.ndarray, threshold: float) -> tuple[Nearest, Nearest]:
    """Each side's most similar fingerprints of the other, where their Tanimoto coefficient reaches a threshold.

    Bits in common come from matrix products of blocks, so that memory does not grow with N x M. Fingerprints of a and
    of b bits have a coefficient of at most min(a, b) / max(a, b) (Swamidass & Baldi 2007), so each block meets only
    those of about as many bits.

    Parameters
    ----------
    one, two
        Packed, uint8 (N, bits / 8) and (M, bits / 8).
    threshold
        In (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold of near-duplicates is {threshold}, must be above 0 and at most 1")
    counts = [unpack(side).sum(axis=1, dtype=np.int64) for side in (one, two)]
    orders = [np.argsort(count, kind="stable") for count in counts]
    found = [Nearest(np.zeros(len(side)), np.full(len(side), -1)) for side in (one, two)]
    sorted_counts = counts[1][orders[1]]
    for start in tqdm(range(0, len(one), _BLOCK), desc="near-duplicates", unit="block", delay=2):
        rows = orders[0][start : start + _BLOCK]
        bits = unpack(one[rows]).astype(np.float32)
        fewest, most = counts[0][rows[0]], counts[0][rows[-1]]
        # one bit of slack, against rounding
        first = np.searchsorted(sorted_counts, int(fewest * threshold) - 1)
        last = np.searchsorted(sorted_counts, int(most / threshold) + 1, side="right")
        for begin in range(first, last, _BLOCK):
            columns = orders[1][begin : min(begin + _BLOCK, last)]
            common = bits @ unpack(two[columns]).astype(np.float32).T  # whole numbers below 2^24: exact
            union = counts[0][rows][:, None] + counts[1][columns] - common
            r, c = np.nonzero(common >= threshold * np.maximum(union, 1) - 0.5)
            similarity = common[r, c].astype(np.float64) / np.maximum(union[r, c], 1)
            near = similarity >= threshold
            r, c, similarity = rows[r[near]], columns[c[near]], similarity[near]
            for side, mine, theirs in ((found[0], r, c), (found[1], c, r)):
                _keep_best(side, mine, theirs, similarity)
    return found[0], found[1]


def _keep_best(side: Nearest, mine: np.ndarray, theirs: np.ndarray, similarity: np.ndarray) -> None:
    """Take in new pairs; of equals the first row, so that blocks make no difference."""
    order = np.lexsort((-theirs, similarity))  # what is written last stays
    mine, theirs, similarity = mine[order], theirs[order], similarity[order]
    best = pd.Series(np.arange(len(mine)), index=mine).groupby(level=0).last()
    mine, at = best.index.to_numpy(), best.to_numpy()
    better = (similarity[at] > side.similarity[mine]) | (
        (similarity[at] == side.similarity[mine]) & (theirs[at] < side.row[mine])
    )
    side.similarity[mine[better]], side.row[mine[better]] = similarity[at[better]], theirs[at[better]]

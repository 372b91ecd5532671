"""Folds of a cross-validation: k splits in which each compound is a test compound once.

The groups of :mod:`cloome_kedro.chemistry.splits.by_structure` are divided into k parts of similar size. In split
number n, part n is the test fold, the next part is the validation fold, and the others are the training fold. After the
last part comes the first one.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from cloome_kedro.chemistry.splits.by_structure import groups_by_block, groups_by_scaffold


def random_fold(
    compounds: pd.DataFrame, pairs: pd.DataFrame, fractions: Mapping[str, float], seed: int, *, number: int, folds: int
) -> pd.DataFrame:
    """Split number ``number`` of ``folds``, with stereoisomers in the same part.

    The other parameters and the result are those of every split, see :mod:`cloome_kedro.chemistry.splits`. Fractions
    have no effect. The result does not depend on the order of the rows.
    """
    return _split(compounds, groups_by_block, seed, number, folds)


def scaffold_fold(
    compounds: pd.DataFrame, pairs: pd.DataFrame, fractions: Mapping[str, float], seed: int, *, number: int, folds: int
) -> pd.DataFrame:
    """Split number ``number`` of ``folds``, with stereoisomers and compounds of the same scaffold in the same part.

    See `random_fold`.
    """
    return _split(compounds, groups_by_scaffold, seed, number, folds)


def _split(
    compounds: pd.DataFrame, groups_of: Callable[[pd.DataFrame], np.ndarray], seed: int, number: int, folds: int
) -> pd.DataFrame:
    compounds = compounds.sort_values("inchikey")
    part = divide(groups_of(compounds), folds, seed)
    test, validation = number - 1, number % folds
    fold = np.select([part == test, part == validation], ["test", "validation"], "train")
    return pd.DataFrame({"inchikey": compounds["inchikey"].to_numpy(), "fold": fold})


def divide(groups: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Divide groups into parts of similar size.

    The groups are taken in the order of their sizes, the largest first, and equally large ones in random order. Each
    goes to the part that has the fewest compounds so far. The sizes of two parts therefore differ by at most the size
    of the largest group (Graham, SIAM J. Appl. Math. 17, 1969). They differ by at most one compound if there are enough
    groups of a single compound.

    Parameters
    ----------
    groups
        (N,) int from 0: the group of each compound.
    parts
        Number of parts.
    seed
        Seed of the order of equally large groups, and of the choice between equally large parts.

    Returns
    -------
    (N,) int, the part of each compound, from 0.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(groups)
    order = np.lexsort([rng.permutation(len(sizes)), -sizes])
    taken = np.zeros(parts, dtype=int)
    part_of_group = np.empty(len(sizes), dtype=int)
    for group in order:
        part = rng.choice(np.flatnonzero(taken == taken.min()))
        part_of_group[group] = part
        taken[part] += sizes[group]
    return part_of_group[groups]

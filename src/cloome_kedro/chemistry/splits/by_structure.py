"""Random and scaffold split.

Similar compounds form *groups*, and a group is never divided. If the training and the test fold contained nearly
identical structures, the test would be too easy. Stereoisomers, which have the same first InChIKey block, are always in
one group. In a scaffold split, compounds with the same Bemis-Murcko scaffold are also in one group.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cloome_kedro.words import FOLDS


def random_split(
    compounds: pd.DataFrame, pairs: pd.DataFrame, fractions: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Draw folds at random, with stereoisomers in the same fold.

    Parameters and result are those of every split, see :mod:`cloome_kedro.chemistry.splits`. The result does not depend
    on the order of the rows.
    """
    compounds = compounds.sort_values("inchikey")
    return _folds(compounds, _assign(groups_by_block(compounds), fractions, seed))


def scaffold_split(
    compounds: pd.DataFrame, pairs: pd.DataFrame, fractions: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Draw folds at random, with stereoisomers and compounds of the same scaffold in the same fold.

    Groups are those of `groups_by_scaffold`. Every fold with enough places can get a group. A common alternative puts
    the largest groups into the training fold and the rest into the test fold. The test fold would then mostly contain
    scaffolds with a single compound, so it would not represent the screen.
    """
    compounds = compounds.sort_values("inchikey")
    return _folds(compounds, _assign(groups_by_scaffold(compounds), fractions, seed))


def groups_by_block(compounds: pd.DataFrame) -> np.ndarray:
    """Number of each compound's group: compounds with the same first InChIKey block, (N,) int from 0."""
    return pd.factorize(compounds["block"])[0]


def groups_by_scaffold(compounds: pd.DataFrame) -> np.ndarray:
    """Number of each compound's group: compounds with the same block or the same scaffold, (N,) int from 0.

    Tautomers can have the same block but different scaffolds. A group is therefore a connected component of the
    relation "same block or same scaffold".
    """
    blocks, _ = pd.factorize(compounds["block"])
    scaffolds, _ = pd.factorize(compounds["scaffold"])
    offset = blocks.max(initial=-1) + 1
    # The graph has a node for each block and each scaffold. A compound is the edge between its block and its scaffold.
    nodes = offset + scaffolds.max(initial=-1) + 1
    edges = coo_array((np.ones(len(compounds)), (blocks, offset + scaffolds)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return component[blocks]


def _assign(groups: np.ndarray, fractions: Mapping[str, float], seed: int) -> np.ndarray:
    """Assign each group to a fold, and return the fold number of each compound.

    Groups are assigned one after the other, the largest first. The fold is drawn among those with enough free places.
    The probability of a fold is proportional to its free places. The small groups at the end fill the folds. A group
    that fits into no fold goes to the fold with the most free places. A fold therefore exceeds its share by at most two
    thirds of a group.
    """
    rng = np.random.default_rng(seed)
    shares = np.array([fractions[fold] for fold in FOLDS], dtype=float)
    free = shares / shares.sum() * len(groups)
    sizes = np.bincount(groups)
    fold_of_group = np.empty(len(sizes), dtype=int)
    for group in np.argsort(-sizes, kind="stable"):
        # The tolerance is half a compound, because a share is not always a whole number of compounds.
        places = np.where(free + 0.5 >= sizes[group], free, 0)
        fold = rng.choice(len(FOLDS), p=places / places.sum()) if places.any() else np.argmax(free)
        fold_of_group[group] = fold
        free[fold] -= sizes[group]
    return fold_of_group[groups]


def _folds(compounds: pd.DataFrame, fold_numbers: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"inchikey": compounds["inchikey"].to_numpy(), "fold": np.array(FOLDS)[fold_numbers]})

"""Random and scaffold split.

Compounds are never split one by one but by *group*. Near-identical structures on both sides of a split make a test
easier than the question it stands for. So stereoisomers (compounds with one first InChIKey block) always stay together;
under a scaffold split compounds of one Bemis-Murcko scaffold do, too.
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
    """Folds at random, stereoisomers together.

    Parameters and result are those of every split, see :mod:`cloome_kedro.chemistry.splits`. The order of the rows does
    not matter.
    """
    compounds = compounds.sort_values("inchikey")
    return _folds(compounds, _assign(pd.factorize(compounds["block"])[0], fractions, seed))


def scaffold_split(
    compounds: pd.DataFrame, pairs: pd.DataFrame, fractions: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Like `random_split`, but compounds of one scaffold stay together, too.

    A group is a connected component of "same block or same scaffold", since tautomers can share a block and differ in
    scaffold. A group may land in every fold that it fits into. The common alternative, the largest groups to training
    and what remains to test, would fill the test fold with singletons, which is another question.
    """
    compounds = compounds.sort_values("inchikey")
    blocks, _ = pd.factorize(compounds["block"])
    scaffolds, _ = pd.factorize(compounds["scaffold"])
    offset = blocks.max(initial=-1) + 1
    nodes = offset + scaffolds.max(initial=-1) + 1  # blocks and scaffolds; a compound is the edge between its two
    edges = coo_array((np.ones(len(compounds)), (blocks, offset + scaffolds)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return _folds(compounds, _assign(component[blocks], fractions, seed))


def _assign(groups: np.ndarray, fractions: Mapping[str, float], seed: int) -> np.ndarray:
    """Fold number of each compound: each group, the large ones first, goes to a fold that it fits into.

    The fold is drawn with the odds of the places left in each. So a group of any size is as likely in a fold as the
    fold's share, and the small groups at the end fill the folds up. A group that fits nowhere goes where most is
    missing, so no fold exceeds its share by more than two thirds of a group.
    """
    rng = np.random.default_rng(seed)
    share = np.array([fractions[fold] for fold in FOLDS], dtype=float)
    missing = share / share.sum() * len(groups)
    sizes = np.bincount(groups)
    fold_of = np.empty(len(sizes), dtype=int)
    for group in np.argsort(-sizes, kind="stable"):
        # half a compound of tolerance: a share need not be a whole number of compounds
        places = np.where(missing + 0.5 >= sizes[group], missing, 0)
        fold = rng.choice(len(FOLDS), p=places / places.sum()) if places.any() else np.argmax(missing)
        fold_of[group] = fold
        missing[fold] -= sizes[group]
    return fold_of[groups]


def _folds(compounds: pd.DataFrame, fold_numbers: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"inchikey": compounds["inchikey"].to_numpy(), "fold": np.array(FOLDS)[fold_numbers]})

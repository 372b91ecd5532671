"""What retrieval could reach on a virtual screen, where the truth is known.

An oracle is a method like a model: it has vectors of fields and of compounds whose dot products rank.
"""

import numpy as np
import pandas as pd

from cloome_kedro.words import ORACLE_MECHANISM, ORACLE_PHENOTYPE

#: vectors of fields (F, d), then keys (N,) and vectors (N, d) of compounds
OracleVectors = tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]


def oracle_vectors(truth: pd.DataFrame, examples: pd.DataFrame) -> dict[str, OracleVectors]:
    """Vectors of the two oracles, by method name.

    Parameters
    ----------
    truth
        Table ``truth``.
    examples
        Table ``examples``; vectors of fields are in its order.

    Returns
    -------
    dict
        ``Oracle (phenotype)`` ranks by the distance between what was drawn in a well and what a compound does on
        average, each axis in units of its replicate noise (the root mean square of drawn minus average over the wells
        of the examples): the most likely match under Gaussian noise. ``Oracle (mechanism)`` scores 1 for a shared
        mechanism and 0 otherwise, so all compounds of a mechanism tie: break its ties at random, since counted against
        the match they would hide what it knows.

    Raises
    ------
    ValueError
        If a field's well is not in the truth.
    """
    wells = examples[["plate", "well", "inchikey"]].merge(truth, on=["plate", "well"], how="left")
    if (unknown := wells["mechanism"].isna()).any():
        plate, well = wells.loc[unknown, ["plate", "well"]].iloc[0]
        raise ValueError(f"truth: no row for plate {plate}, well {well}: is it of another screen?")
    by_compound = wells.groupby("inchikey", sort=True)
    keys = by_compound["mechanism"].first().index.to_numpy()

    phenotypes = wells.columns[wells.columns.str.startswith("phenotype_")].tolist()
    realised = [column.replace("phenotype_", "realised_", 1) for column in phenotypes]
    each_well = wells.drop_duplicates(["plate", "well"])
    noise = np.sqrt(np.square(each_well[realised].to_numpy() - each_well[phenotypes].to_numpy()).mean(axis=0))
    noise[noise == 0] = 1  # an axis without noise keeps its own scale
    drawn = wells[realised].to_numpy() / noise
    average = by_compound[phenotypes].mean().to_numpy() / noise

    names = pd.Index(wells["mechanism"].unique())
    one_hot = np.eye(len(names))
    of_fields = one_hot[names.get_indexer(wells["mechanism"])]
    of_compounds = one_hot[names.get_indexer(by_compound["mechanism"].first())]
    by_distance = _by_distance(drawn, average)
    return {
        ORACLE_PHENOTYPE: (by_distance[0], (keys, by_distance[1])),
        ORACLE_MECHANISM: (of_fields, (keys, of_compounds)),
    }


def _by_distance(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose dot product falls with the distance: a.b - |a|^2/2 - |b|^2/2 = -|a - b|^2 / 2."""
    halves = [np.square(vectors).sum(axis=1, keepdims=True) / 2 for vectors in (a, b)]
    ones = [np.ones_like(half) for half in halves]
    return np.hstack([a, -halves[0], ones[0]]), np.hstack([b, ones[1], -halves[1]])

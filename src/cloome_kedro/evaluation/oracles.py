"""Oracles: the best retrieval that is possible on a virtual screen, where the truth is known.

An oracle is a method like a model: it has vectors of fields and of compounds, and their dot products are scores.
"""

import numpy as np
import pandas as pd

from cloome_kedro.words import ORACLE_MECHANISM, ORACLE_PHENOTYPE

#: vectors of fields (F, d); then InChIKeys (N,) and vectors (N, d) of compounds
OracleVectors = tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]


def oracle_vectors(truth: pd.DataFrame, examples: pd.DataFrame) -> dict[str, OracleVectors]:
    """Vectors of the two oracles, by the name of the method.

    Parameters
    ----------
    truth
        Table ``truth``.
    examples
        Table ``examples``. Vectors of fields are in its order.

    Returns
    -------
    dict
        - ``Oracle (phenotype)`` scores by the distance between the phenotype that was drawn for a well and the average
          phenotype of a compound. Each axis is in units of its replicate noise, the root mean square of drawn minus
          average phenotype over the wells of the examples. The highest score is the most likely match under Gaussian
          noise.
        - ``Oracle (mechanism)`` scores 1 for a shared mechanism, otherwise 0. Therefore all compounds of a mechanism
          tie. Break these ties at random: if they counted against the match, the results would hide what the oracle
          knows.

    Raises
    ------
    ValueError
        If the well of a field is not in the truth.
    """
    wells = examples[["plate", "well", "inchikey"]].merge(truth, on=["plate", "well"], how="left")
    if (unknown := wells["mechanism"].isna()).any():
        plate, well = wells.loc[unknown, ["plate", "well"]].iloc[0]
        raise ValueError(
            f"truth: there is no row for plate {plate}, well {well}. Check that truth and examples are of one screen"
        )
    by_compound = wells.groupby("inchikey", sort=True)
    mechanisms = by_compound["mechanism"].first()
    keys = mechanisms.index.to_numpy()

    average_columns = wells.columns[wells.columns.str.startswith("phenotype_")].tolist()
    drawn_columns = [column.replace("phenotype_", "realised_", 1) for column in average_columns]
    each_well = wells.drop_duplicates(["plate", "well"])
    noise = np.sqrt(np.square(each_well[drawn_columns].to_numpy() - each_well[average_columns].to_numpy()).mean(axis=0))
    noise[noise == 0] = 1  # an axis without noise keeps its scale
    drawn = wells[drawn_columns].to_numpy() / noise
    average = by_compound[average_columns].mean().to_numpy() / noise
    field_phenotypes, compound_phenotypes = _distance_vectors(drawn, average)

    names = pd.Index(wells["mechanism"].unique())
    one_hot = np.eye(len(names))
    field_mechanisms = one_hot[names.get_indexer(wells["mechanism"])]
    compound_mechanisms = one_hot[names.get_indexer(mechanisms)]
    return {
        ORACLE_PHENOTYPE: (field_phenotypes, (keys, compound_phenotypes)),
        ORACLE_MECHANISM: (field_mechanisms, (keys, compound_mechanisms)),
    }


def _distance_vectors(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make vectors whose dot products decrease with the distance: a.b - |a|^2/2 - |b|^2/2 = -|a - b|^2 / 2."""
    halves = [np.square(vectors).sum(axis=1, keepdims=True) / 2 for vectors in (a, b)]
    ones = [np.ones_like(half) for half in halves]
    return np.hstack([a, -halves[0], ones[0]]), np.hstack([b, ones[1], -halves[1]])

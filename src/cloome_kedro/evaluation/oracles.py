"""What retrieval could reach on a virtual screen, where the truth is known.

An oracle is a space like an embedding (see :mod:`~cloome_kedro.evaluation.retrieval`): the same code ranks with it.
"""

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.retrieval import IMAGE_RETRIEVAL, STRUCTURE_RETRIEVAL, Keys, Spaces, both_ways


def oracle_spaces(
    truth: pd.DataFrame, compound_keys: pd.DataFrame, wells: pd.DataFrame, inchikeys: Keys
) -> dict[str, Spaces]:
    """Spaces of the two oracles, by method name.

    Parameters
    ----------
    truth
        Table ``truth``.
    compound_keys
        Table ``compound_keys``: InChIKeys of the truth's compounds. Wells of compounds without one are not used.
    wells
        (N,) columns plate, well: the well of query field i.
    inchikeys
        (N,) compounds; compound i is in well i.

    Returns
    -------
    dict
        ``Oracle (phenotype)`` ranks by the distance between what was drawn in a well and what a compound does on
        average, each axis in units of its replicate noise (the root mean square of drawn minus average over all wells):
        the most likely match under Gaussian noise. ``Oracle (mechanism)`` scores 1 for a shared mechanism and 0
        otherwise, so all of a mechanism tie: break its ties at random, since counted against the match they would hide
        what it knows.

    Raises
    ------
    ValueError
        If a well or a compound is not in the truth.
    """
    truth = truth.merge(compound_keys, on="compound_id")
    wells_truth = truth.set_index(["plate", "well"])
    rows = wells_truth.index.get_indexer(pd.MultiIndex.from_frame(wells[["plate", "well"]]))
    if (rows < 0).any():
        plate, well = wells[["plate", "well"]].iloc[int(np.argmax(rows < 0))]
        raise ValueError(f"truth: no row for plate {plate}, well {well}: is it of another screen?")
    by_compound = truth.groupby("inchikey")
    mechanism = by_compound["mechanism"].first()
    if missing := sorted(set(inchikeys) - set(mechanism.index)):
        raise ValueError(f"truth: no well of {len(missing)} compounds, the first is {missing[0]}")

    phenotypes = truth.columns[truth.columns.str.startswith("phenotype_")].tolist()
    realised = [column.replace("phenotype_", "realised_", 1) for column in phenotypes]
    noise = np.sqrt(np.square(truth[realised].to_numpy() - truth[phenotypes].to_numpy()).mean(axis=0))
    noise[noise == 0] = 1  # an axis without noise keeps its own scale
    drawn = wells_truth[realised].to_numpy()[rows] / noise
    average = by_compound[phenotypes].mean().loc[list(inchikeys)].to_numpy() / noise

    names = pd.Index(truth["mechanism"].unique())
    one_hot = np.eye(len(names))
    of_wells = one_hot[names.get_indexer(wells_truth["mechanism"].iloc[rows])]
    of_compounds = one_hot[names.get_indexer(mechanism.loc[list(inchikeys)])]
    return {
        "Oracle (phenotype)": {
            STRUCTURE_RETRIEVAL: _by_distance(drawn, average),
            IMAGE_RETRIEVAL: _by_distance(average, drawn),
        },
        "Oracle (mechanism)": both_ways(of_wells, of_compounds),
    }


def _by_distance(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose dot product falls with the distance: q.c - |c|^2/2 = (|q|^2 - |q - c|^2) / 2."""
    ones = np.ones((len(queries), 1))
    half_squares = np.square(candidates).sum(axis=1, keepdims=True) / 2
    return np.hstack([queries, ones]), np.hstack([candidates, -half_squares])

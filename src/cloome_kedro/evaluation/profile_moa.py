"""Zero-shot mechanisms of action from profiles of wells, across plates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.zero_shot_plan import ShownBy
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, draw_plans, rank_method
from cloome_kedro.words import CLEAN, PROFILES, ZERO_SHOT_MOA


def protocols_of_profiles(shown_by: Sequence[ShownBy]) -> list[Protocol]:
    """From the publication's, which excludes nothing, to the strictest."""
    compound = ("plate", "compound")
    return [
        protocol
        for by in shown_by
        for protocol in (
            Protocol((), by),
            Protocol(("plate",), by),
            Protocol(compound, by, where_possible=("compound",)),
            Protocol(compound, by),
        )
    ]


def rank_mechanisms(
    wells: pd.DataFrame,
    profiles: np.ndarray,
    cell_counts: pd.DataFrame,
    shown_by: Sequence[ShownBy] = ("field", "mean"),
    draws: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank the mechanism of every well among all, by its profile and by confounders, by :func:`protocols_of_profiles`.

    Parameters
    ----------
    wells
        Columns field_id, plate, well, inchikey, and label, the mechanism.
    profiles
        (N, d) features in the order of ``wells``; their cosine ranks.
    cell_counts
        As of :func:`~cloome_kedro.evaluation.confounders.confounder_vectors`.
    shown_by
        Whether a mechanism is shown by one seeded well (``field``) or by the mean of its unit vectors.
    draws
        Of reference wells.

    Returns
    -------
    pd.DataFrame
        Table ``ranks`` without its split. Ties of confounders are broken at random, those of profiles count against the
        match.

    Raises
    ------
    ValueError
        If no protocol has a query.
    """
    keys = wells["field_id"].to_numpy()
    methods = {PROFILES: Method(Embeddings(keys, profiles), normalised=False)} | {
        name: Method(Embeddings(keys, vectors), ties="random")
        for name, vectors in confounder_vectors(wells, cell_counts).items()
    }
    plans = draw_plans(wells, protocols_of_profiles(shown_by), draws, seed)
    if not plans:
        raise ValueError("no well has another of its mechanism to be recognised by: profiles of more plates are needed")
    tables = [
        ranks.assign(method=name)
        for name, method in methods.items()
        for ranks in rank_method(method, wells, plans, seed).values()
    ]
    return pd.concat(tables, ignore_index=True).assign(task=ZERO_SHOT_MOA, images=CLEAN)

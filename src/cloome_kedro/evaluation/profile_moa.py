"""Zero-shot mechanisms of action from profiles of wells, across plates."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.corrected_methods import Plates, correct_methods
from cloome_kedro.evaluation.corrections import Correction
from cloome_kedro.evaluation.methods import Embeddings, Method, Methods
from cloome_kedro.evaluation.zero_shot_plan import ShownBy
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, draw_plans, rank_method, warn_of_combinations
from cloome_kedro.words import CLEAN, PROFILES, ZERO_SHOT_MOA, counted


def protocols_of_profiles(shown_by: Sequence[ShownBy]) -> list[Protocol]:
    """Protocols from the published one, which excludes nothing, to the strictest.

    >>> [protocol.setting["excluded"] for protocol in protocols_of_profiles(["field"])]
    ['none', 'plate', 'plate+compound where possible', 'plate+compound']
    """
    plate_and_compound = ("plate", "compound")
    return [
        protocol
        for shown in shown_by
        for protocol in (
            Protocol((), shown),
            Protocol(("plate",), shown),
            Protocol(plate_and_compound, shown, where_possible=("compound",)),
            Protocol(plate_and_compound, shown),
        )
    ]


def correct_profiles(
    wells: pd.DataFrame,
    profiles: np.ndarray,
    corrections: Sequence[Correction],
    minimum_controls: int = 8,
    fitted_to: np.ndarray | None = None,
) -> Methods:
    """Correct profiles of wells on the control wells of each imaged plate.

    A plate that was imaged twice has two tables, whose values can differ. Each is corrected by its own controls.

    Parameters
    ----------
    wells
        Columns ``field_id`` (``<imaged plate>/<well>``) and ``control``: treated wells and controls.
    profiles
        (N, d) features in the order of ``wells``.
    corrections
        Corrections.
    minimum_controls
        As in :class:`~cloome_kedro.evaluation.corrected_methods.Plates`.
    fitted_to
        (N,) bool: controls to which corrections are fitted. None: all.

    Returns
    -------
    dict
        The profiles as they are, and then the corrected ones.
    """
    methods = {PROFILES: Method(Embeddings(wells["field_id"].to_numpy(), profiles), normalised=False)}
    control = wells["control"].to_numpy(bool) if fitted_to is None else fitted_to
    plates = pd.DataFrame({"field_id": wells["field_id"], "control": control})
    plates["plate"] = wells["field_id"].str.rpartition("/")[0]
    return methods | correct_methods(methods, corrections, Plates(plates, minimum_controls))


def rank_mechanisms(
    wells: pd.DataFrame,
    profiles: Methods | np.ndarray,
    cell_counts: pd.DataFrame,
    shown_by: Sequence[ShownBy] = ("field", "mean"),
    draws: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank the mechanism of every well among all mechanisms, by its profile and by confounders.

    Protocols are those of :func:`protocols_of_profiles`.

    Parameters
    ----------
    wells
        Columns ``field_id``, ``plate``, ``well``, ``inchikey``, and ``label``, which holds the mechanism.
    profiles
        Result of :func:`correct_profiles`; or (N, d) features in the order of ``wells``. Their cosines are the scores.
    cell_counts
        As in :func:`~cloome_kedro.evaluation.confounders.confounder_vectors`.
    shown_by
        What represents a mechanism: ``field``, one well drawn with the seed; ``mean``, the mean of the unit vectors of
        its wells.
    draws
        Number of draws of reference wells.
    seed
        Seed of the draws and of random ties.

    Returns
    -------
    pandas.DataFrame
        Table ``ranks`` without the column ``split``. Ties of confounders are broken at random. Ties of profiles count
        against the match.

    Raises
    ------
    ValueError
        If there are fewer than two mechanisms, or no protocol has a query.
    """
    if (number := wells["label"].nunique()) < 2:
        raise ValueError(
            f"mechanisms cannot be evaluated: {counted(number, 'mechanism')} among {counted(len(wells), 'well')}. "
            "Wells of at least two mechanisms are needed"
        )
    warn_of_combinations(wells)
    keys = wells["field_id"].to_numpy()
    if not isinstance(profiles, Mapping):
        profiles = {PROFILES: Method(Embeddings(keys, profiles), normalised=False)}
    methods = profiles | {
        name: Method(Embeddings(keys, vectors), ties="random")
        for name, vectors in confounder_vectors(wells, cell_counts).items()
    }
    plans = draw_plans(wells, protocols_of_profiles(shown_by), draws, seed)
    if not plans:
        raise ValueError(
            "no mechanism has a second well, so none can be recognised: profiles of more plates are needed"
        )
    tables = [
        ranks.assign(method=name)
        for name, method in methods.items()
        for ranks in rank_method(method, wells, plans, seed).values()
    ]
    return pd.concat(tables, ignore_index=True).assign(task=ZERO_SHOT_MOA, images=CLEAN)

"""Zero-shot mechanisms of action from profiles of wells, across plates."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.ranks import Ties
from cloome_kedro.evaluation.zero_shot import rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import ShownBy, plan_zero_shot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """What a query's references do not share with it, and what of this is given up where a class has no others."""

    excluded: tuple[str, ...] = ()
    where_possible: tuple[str, ...] = ()

    def __str__(self) -> str:
        always = "+".join(key for key in self.excluded if key not in self.where_possible)
        possible = "+".join(self.where_possible)
        return "+".join(filter(None, [always, possible and f"{possible} where possible"])) or "none"


#: from the publication's, which excludes nothing, to the strictest
PROTOCOLS = (
    Protocol(),
    Protocol(("plate",)),
    Protocol(("plate", "compound"), ("compound",)),
    Protocol(("plate", "compound")),
)


def rank_mechanisms(
    wells: pd.DataFrame,
    profiles: np.ndarray,
    cell_counts: pd.DataFrame,
    shown_by: Sequence[ShownBy] = ("field", "mean"),
    draws: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank the mechanism of every well among all, by its profile and by confounders, by each of :data:`PROTOCOLS`.

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
    lengths = np.linalg.norm(profiles, axis=1, keepdims=True)
    methods = {"Profiles": profiles / np.where(lengths > 0, lengths, 1), **confounder_vectors(wells, cell_counts)}
    tables = []
    for by in shown_by:
        for protocol in PROTOCOLS:
            for draw in range(draws if by == "field" else 1):
                plan = plan_zero_shot(wells, protocol.excluded, by, "full", seed, draw, protocol.where_possible)
                if not len(plan.queries):
                    logger.warning("no well has a reference of its mechanism: no rows with %s excluded", protocol)
                    break
                tie_seed = int(np.random.SeedSequence([seed, draw]).generate_state(1)[0])
                for method, vectors in methods.items():
                    ties: Ties = "pessimistic" if method == "Profiles" else "random"
                    ranks = rank_by_plan(plan, vectors, vectors, ties, tie_seed)
                    tables.append(ranks.assign(method=method, shown_by=by, excluded=str(protocol), draw=draw))
    if not tables:
        raise ValueError("no well has another of its mechanism to be recognised by: profiles of more plates are needed")
    return pd.concat(tables, ignore_index=True).assign(
        task="zero-shot MoA", images="clean", direction=None, pool="full"
    )

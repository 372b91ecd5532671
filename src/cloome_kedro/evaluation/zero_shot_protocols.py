"""Zero-shot classification by every protocol and over many draws: ranks, metrics, and what exclusions cost a method."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.draws import draw_seed
from cloome_kedro.evaluation.ranks import Ties
from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks
from cloome_kedro.evaluation.zero_shot import rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import Plan, Pool, ShownBy, plan_zero_shot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """How references are chosen: see :func:`~cloome_kedro.evaluation.zero_shot_plan.plan_zero_shot`."""

    excluded: tuple[str, ...]
    shown_by: ShownBy = "field"
    pool: Pool = "full"
    where_possible: tuple[str, ...] = ()

    @property
    def setting(self) -> dict[str, str | None]:
        """Its columns in tables."""
        always = "+".join(key for key in self.excluded if key not in self.where_possible)
        possible = "+".join(self.where_possible) + " where possible" if self.where_possible else ""
        excluded = "+".join(filter(None, [always, possible])) or "none"
        return {"direction": None, "pool": self.pool, "shown_by": self.shown_by, "excluded": excluded}


@dataclass(frozen=True)
class Method:
    """What ranks fields.

    Attributes
    ----------
    vectors
        (N, d), L2-normalised, in the order of the fields.
    ties
        How its ties are broken.
    known
        (N,) bool, which fields it has vectors of; all if not given. It is asked about those alone.
    """

    vectors: np.ndarray
    ties: Ties = "pessimistic"
    known: np.ndarray | None = None

    def of(self, rows: np.ndarray) -> "Method":
        """The same for some of the fields, by their numbers."""
        return Method(self.vectors[rows], self.ties, None if self.known is None else self.known[rows])


@dataclass(frozen=True)
class Found:
    """What a method reached: ranks by protocol, and tables ``metrics`` and ``differences`` without their split hash."""

    ranks: dict[Protocol, pd.DataFrame]
    metrics: list[pd.DataFrame]
    differences: list[pd.DataFrame]


Plans = dict[Protocol, list[Plan]]


def classes_of(fields: pd.DataFrame, compounds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By task, the fields that can be asked about, with their class as ``label``.

    Parameters
    ----------
    fields
        Columns inchikey and any others; rows keep their index.
    compounds
        Table of that name. Fields of compounds without a mechanism are not asked about it.
    """
    mechanism = fields["inchikey"].map(compounds.set_index("inchikey")["moa"])
    return {
        "zero-shot compound": fields.assign(label=fields["inchikey"]),
        "zero-shot MoA": fields.assign(label=mechanism)[mechanism.notna()],
    }


def protocols_of(
    exclude: Sequence[Sequence[str]], shown_by: Sequence[ShownBy], same_plate: bool, of_compounds: bool
) -> list[Protocol]:
    """The protocols of a task.

    Parameters
    ----------
    exclude
        Keys of each protocol. Those with ``compound`` are left out where classes are compounds, which would have no
        references.
    shown_by, same_plate
        What classes are shown by, and whether there is a protocol with other wells of the query's own plate beside.
    of_compounds
        Whether classes are compounds.
    """
    kept = [tuple(keys) for keys in exclude if not (of_compounds and "compound" in keys)]
    protocols = []
    for by in shown_by:
        protocols += [Protocol(keys, by) for keys in kept]
        if same_plate:
            protocols.append(Protocol(("well",), by, "same plate"))
    return protocols


def draw_plans(fields: pd.DataFrame, protocols: Sequence[Protocol], draws: int, seed: int) -> Plans:
    """A plan for each protocol and draw; means over all fields are drawn once. Protocols without a query are left out.

    Parameters
    ----------
    fields
        As in ``plan_zero_shot``.
    """
    plans = {}
    for protocol in protocols:
        drawn = [
            plan_zero_shot(
                fields, protocol.excluded, protocol.shown_by, protocol.pool, seed, draw, protocol.where_possible
            )
            for draw in range(draws if protocol.shown_by == "field" else 1)
        ]
        if all(len(plan.queries) for plan in drawn):
            plans[protocol] = drawn
        else:
            excluded, pool = protocol.setting["excluded"], protocol.pool
            logger.info(
                "pool %s, excluded %s: no query has a reference of its class, so there are no rows", pool, excluded
            )
    return plans


def rank_method(
    name: str, method: Method, fields: pd.DataFrame, plans: Plans, setting: dict[str, str], seed: int
) -> dict[Protocol, pd.DataFrame]:
    """Table ``ranks`` by protocol, of every draw.

    Parameters
    ----------
    name, method
        What ranks. One that does not know all fields gets plans of its own.
    fields, plans
        What was planned, and :func:`draw_plans` of it.
    setting
        Other columns of the table: task, images, split where there is one.
    seed
        Of the draws and of random ties.
    """
    vectors = method.vectors
    if method.known is not None and not method.known.all():
        fields, vectors = fields[method.known], vectors[method.known]
        draws = max((len(drawn) for drawn in plans.values()), default=1)
        plans = draw_plans(fields, list(plans), draws, seed)
    ranks = {}
    for protocol, drawn in plans.items():
        tables = [
            rank_by_plan(plan, vectors, vectors, method.ties, draw_seed(seed, draw)).assign(draw=draw)
            for draw, plan in enumerate(drawn)
        ]
        ranks[protocol] = pd.concat(tables, ignore_index=True).assign(**setting, **protocol.setting, method=name)
    return ranks


def evaluate_method(
    name: str,
    method: Method,
    fields: pd.DataFrame,
    plans: Plans,
    setting: dict[str, str],
    top_k: Sequence[int],
    confidence: float,
    seed: int,
    model: Found | None = None,
) -> Found:
    """Rank by every plan, summarise, and compare.

    Parameters
    ----------
    name, method, fields, plans, setting
        As in :func:`rank_method`.
    top_k, confidence, seed
        Of the metrics; the seed is also that of the draws and of random ties.
    model
        What the model reached. Given that, differences hold its own minus this method's, with nothing excluded and with
        most, beside each exclusion minus none, and the same plate minus all plates, both with other wells only.
    """
    ranks = rank_method(name, method, fields, plans, setting, seed)
    settings: Any = top_k, confidence, seed
    metrics = [summarise_ranks(table, *settings) for table in ranks.values()]
    differences = []
    for protocol, table in ranks.items():
        usual = Protocol(protocol.excluded if protocol.pool == "same plate" else (), protocol.shown_by)
        against = "pool full" if protocol.pool == "same plate" else "excluded none"
        if usual != protocol and usual in ranks:
            differences.append(compare_ranks(table, ranks[usual], against, *settings))
    if model is not None:
        strictest = {protocol.shown_by: protocol for protocol in sorted(ranks, key=_strictness)}
        for protocol in (key for key in ranks if key.pool == "full"):
            if not protocol.excluded or protocol == strictest[protocol.shown_by]:
                differences.append(compare_ranks(model.ranks[protocol], ranks[protocol], f"method {name}", *settings))
    return Found(ranks, metrics, differences)


def _strictness(protocol: Protocol) -> tuple[bool, int]:
    return protocol.pool == "full", len(protocol.excluded)

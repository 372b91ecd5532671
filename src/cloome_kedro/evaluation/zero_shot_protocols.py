"""Zero-shot classification by every protocol and over many draws: ranks, metrics, and what exclusions cost a method."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cloome_kedro.evaluation.draws import draw_seed
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
from cloome_kedro.evaluation.zero_shot import rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import Plan, Pool, ShownBy, plan_zero_shot
from cloome_kedro.words import ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

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
class Found:
    """What a method reached: ranks by protocol, and tables ``metrics`` and ``differences`` without their split hash."""

    ranks: dict[Protocol, pd.DataFrame]
    metrics: list[pd.DataFrame]
    differences: list[pd.DataFrame]


Plans = dict[Protocol, list[Plan]]


def classes_of(fields: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By task, the fields that can be asked about, with their class as ``label``.

    Parameters
    ----------
    fields
        Rows of the table ``examples``; they keep their index. Fields of compounds without a mechanism are not asked
        about it.
    """
    return {
        ZERO_SHOT_COMPOUND: fields.assign(label=fields["inchikey"]),
        ZERO_SHOT_MOA: fields.assign(label=fields["moa"])[fields["moa"].notna()],
    }


def protocols_of(
    exclude: Sequence[Sequence[str]], shown_by: Sequence[ShownBy], same_plate: bool, of_compounds: bool
) -> list[Protocol]:
    """The protocols of a task.

    Parameters
    ----------
    exclude
        Keys of each protocol. Those with ``compound`` are left out where classes are compounds, which would then have
        no references.
    shown_by, same_plate
        What shows a class, and whether there is also a protocol with other wells of the query's own plate.
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


def rank_method(method: Method, fields: pd.DataFrame, plans: Plans, seed: int) -> dict[Protocol, pd.DataFrame]:
    """Table ``ranks`` by protocol, of every draw, without split, task, method and images.

    Parameters
    ----------
    method
        What ranks. A method that does not know all fields gets plans of its own.
    fields, plans
        What was planned, and :func:`draw_plans` of it.
    seed
        Of the draws and of random ties.
    """
    known = method.fields.knows(fields["field_id"])
    if not known.all():
        fields = fields[known]
        draws = max((len(drawn) for drawn in plans.values()), default=1)
        plans = draw_plans(fields, list(plans), draws, seed)
    vectors = method.unit_fields(fields["field_id"])
    ranks = {}
    for protocol, drawn in plans.items():
        tables = [
            rank_by_plan(plan, vectors, vectors, method.ties, draw_seed(seed, draw)).assign(draw=draw)
            for draw, plan in enumerate(drawn)
        ]
        ranks[protocol] = pd.concat(tables, ignore_index=True).assign(**protocol.setting)
    return ranks


def evaluate_ranks(
    name: str, ranks: dict[Protocol, pd.DataFrame], summary: Summary, model: Found | None = None
) -> Found:
    """Summarise the ranks of a method, and compare them.

    Parameters
    ----------
    name
        Of the method.
    ranks
        Whole tables ``ranks`` by protocol.
    summary
        The k of top-k accuracy, and the intervals.
    model
        What the model that the study is about reached. With it, differences also hold the model minus this method, with
        nothing excluded and with the strictest protocol that both have. Without it, and in any case, they hold each
        exclusion minus none, and the same plate minus all plates, both with other wells only.
    """
    metrics = [summarise_ranks(table, summary) for table in ranks.values()]
    differences = []
    for protocol, table in ranks.items():
        usual = Protocol(protocol.excluded if protocol.pool == "same plate" else (), protocol.shown_by)
        against = "pool full" if protocol.pool == "same plate" else "excluded none"
        if usual != protocol and usual in ranks:
            differences.append(compare_ranks(table, ranks[usual], against, summary))
    if model is not None:
        # Either of the two may know too few fields for a protocol.
        both = [protocol for protocol in ranks if protocol.pool == "full" and protocol in model.ranks]
        strictest = {protocol.shown_by: protocol for protocol in sorted(both, key=_strictness)}
        for protocol in both:
            if not protocol.excluded or protocol == strictest[protocol.shown_by]:
                differences.append(compare_ranks(model.ranks[protocol], ranks[protocol], f"method {name}", summary))
    return Found(ranks, metrics, differences)


def _strictness(protocol: Protocol) -> int:
    return len(protocol.excluded)

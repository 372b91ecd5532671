"""Zero-shot classification by every protocol and over many draws: ranks, metrics, and the effect of exclusions."""

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
    """How references are chosen, see :func:`~cloome_kedro.evaluation.zero_shot_plan.plan_zero_shot`."""

    excluded: tuple[str, ...]
    shown_by: ShownBy = "field"
    pool: Pool = "full"
    where_possible: tuple[str, ...] = ()

    @property
    def setting(self) -> dict[str, str | None]:
        """Columns of tables that identify the protocol.

        >>> Protocol(("plate", "compound"), where_possible=("compound",)).setting["excluded"]
        'plate+compound where possible'
        """
        always = "+".join(key for key in self.excluded if key not in self.where_possible)
        possible = "+".join(self.where_possible) + " where possible" if self.where_possible else ""
        excluded = "+".join(filter(None, [always, possible])) or "none"
        return {"direction": None, "pool": self.pool, "shown_by": self.shown_by, "excluded": excluded}


@dataclass(frozen=True)
class MethodResult:
    """Results of a method: ranks by protocol, and tables ``metrics`` and ``differences`` without their split hash."""

    ranks: dict[Protocol, pd.DataFrame]
    metrics: list[pd.DataFrame]
    differences: list[pd.DataFrame]


#: protocol -> a plan for each draw
Plans = dict[Protocol, list[Plan]]


def classes_of(fields: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Fields with a known class, by task. The column ``label`` holds the class.

    Parameters
    ----------
    fields
        Rows of the table ``examples``. They keep their index. Fields of compounds without a mechanism are left out of
        the task that classifies mechanisms.

    Examples
    --------
    >>> classes = classes_of(pd.DataFrame({"inchikey": ["A", "B"], "moa": ["inhibitor", None]}))
    >>> {task: fields["label"].tolist() for task, fields in classes.items()}
    {'zero-shot compound': ['A', 'B'], 'zero-shot MoA': ['inhibitor']}
    """
    return {
        ZERO_SHOT_COMPOUND: fields.assign(label=fields["inchikey"]),
        ZERO_SHOT_MOA: fields.assign(label=fields["moa"])[fields["moa"].notna()],
    }


def warn_of_combinations(fields: pd.DataFrame, place: str = "") -> None:
    """Warn if compounds have several mechanisms, separated by ``|``, since each combination is a separate class.

    Parameters
    ----------
    fields
        Columns ``inchikey`` and ``label``, which holds the mechanism.
    place
        Beginning of the message, such as the split.
    """
    has_several = fields["label"].astype("str").str.contains("|", regex=False)
    if n_several := fields.loc[has_several, "inchikey"].nunique():
        logger.warning(
            "%s%d compounds have several mechanisms. Each combination of mechanisms is a separate class",
            *(place, n_several),
        )


def protocols_of(
    exclude: Sequence[Sequence[str]],
    shown_by: Sequence[ShownBy],
    same_plate: bool,
    classes_are_compounds: bool,
) -> list[Protocol]:
    """List the protocols of a task.

    Parameters
    ----------
    exclude
        Excluded keys of each protocol.
    shown_by
        What represents a class: ``field`` or ``mean``, or both in turn.
    same_plate
        Whether there is also a protocol with references only in other wells of the query's plate.
    classes_are_compounds
        Whether classes are compounds. Protocols that exclude ``compound`` are then left out: no class would have a
        reference.
    """
    exclusions = [tuple(keys) for keys in exclude if not (classes_are_compounds and "compound" in keys)]
    protocols = []
    for shown in shown_by:
        protocols += [Protocol(keys, shown) for keys in exclusions]
        if same_plate:
            protocols.append(Protocol(("well",), shown, "same plate"))
    return protocols


def draw_plans(fields: pd.DataFrame, protocols: Sequence[Protocol], draws: int, seed: int) -> Plans:
    """Plan each protocol and draw.

    Where means represent classes, there is a single draw, since nothing is drawn. A protocol is left out if a draw has
    no query.

    Parameters
    ----------
    fields
        As in :func:`~cloome_kedro.evaluation.zero_shot_plan.plan_zero_shot`.
    protocols
        Protocols to plan.
    draws, seed
        Number of draws, and their seed.
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
            logger.info(
                "pool %s, excluded %s: no query has a reference of its class, so this protocol is left out",
                *(protocol.pool, protocol.setting["excluded"]),
            )
    return plans


def rank_method(method: Method, fields: pd.DataFrame, plans: Plans, seed: int) -> dict[Protocol, pd.DataFrame]:
    """Rank the class of every query, by every protocol and in every draw.

    Parameters
    ----------
    method
        Method to evaluate. If it does not know all fields, plans are made again for those that it knows.
    fields, plans
        Fields that were planned, and the result of :func:`draw_plans`.
    seed
        Seed of the draws and of random ties.

    Returns
    -------
    dict
        Protocol -> table ``ranks`` without the columns ``split``, ``task``, ``method`` and ``images``.
    """
    known = method.fields.knows(fields["field_id"])
    if not known.all():
        fields = fields[known]
        draws = max((len(drawn) for drawn in plans.values()), default=1)
        plans = draw_plans(fields, list(plans), draws, seed)
    vectors = method.unit_fields(fields["field_id"])
    references = {"field": vectors, "mean": method.weighted_for_means(vectors, fields)}
    ranks = {}
    for protocol, drawn in plans.items():
        shown = references[protocol.shown_by]
        tables = [
            rank_by_plan(plan, vectors, shown, method.ties, draw_seed(seed, draw)).assign(draw=draw)
            for draw, plan in enumerate(drawn)
        ]
        ranks[protocol] = pd.concat(tables, ignore_index=True).assign(**protocol.setting)
    return ranks


def evaluate_ranks(ranks: dict[Protocol, pd.DataFrame], summary: Summary) -> MethodResult:
    """Summarise the ranks of a method, and compare its protocols.

    Differences are each exclusion minus none, and the same plate minus all plates, both with references in other wells
    only.

    Parameters
    ----------
    ranks
        Protocol -> table ``ranks`` with all its columns.
    summary
        Values of k, and settings of the intervals.
    """
    metrics = [summarise_ranks(table, summary) for table in ranks.values()]
    differences = []
    for protocol, table in ranks.items():
        same_plate = protocol.pool == "same plate"
        baseline = Protocol(protocol.excluded if same_plate else (), protocol.shown_by)
        if baseline != protocol and baseline in ranks:
            against = "pool full" if same_plate else "excluded none"
            differences.append(compare_ranks(table, ranks[baseline], against, summary))
    return MethodResult(ranks, metrics, differences)


def compare_results(result: MethodResult, baseline: MethodResult, name: str, summary: Summary) -> list[pd.DataFrame]:
    """Differences of two methods, without exclusions and with the strictest protocol that both have.

    Parameters
    ----------
    result, baseline
        Results of the two methods.
    name
        Name of the baseline.
    summary
        Values of k, and settings of the intervals.

    Returns
    -------
    list of pandas.DataFrame
        Tables ``differences`` without their split hash: the result minus the baseline.
    """
    # A protocol is missing if one of the two methods knows too few fields.
    shared = [protocol for protocol in baseline.ranks if protocol.pool == "full" and protocol in result.ranks]
    strictest = {
        protocol.shown_by: protocol for protocol in sorted(shared, key=lambda protocol: len(protocol.excluded))
    }
    return [
        compare_ranks(result.ranks[protocol], baseline.ranks[protocol], f"method {name}", summary)
        for protocol in shared
        if not protocol.excluded or protocol == strictest[protocol.shown_by]
    ]

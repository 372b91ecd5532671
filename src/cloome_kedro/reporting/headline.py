"""The report's first lines: what the model can do, a card for each task."""

from dataclasses import dataclass, field

import pandas as pd

from cloome_kedro.reporting.style import CHANCE, CLEAN, DIRECTIONS, MODEL, in_order, single_draw
from cloome_kedro.reporting.zero_shot_figures import TASKS, protocol_label, protocols

_STRICTEST = 1  # protocols beside the published one that a card names


@dataclass(frozen=True)
class Card:
    """One result with its interval and chance, on a scale from 0 to 1.

    Attributes
    ----------
    title, split : of what
    value, low, high, chance : float
    percent : whether they are shares, shown as percentages
    basis : what the value is of, and of how many
    others : what stands beside it -> its value
    """

    title: str
    split: str
    value: float
    low: float
    high: float
    chance: float
    basis: str
    percent: bool = True
    others: dict[str, float] = field(default_factory=dict)

    def text(self, number: float) -> str:
        return f"{100 * number:.1f} %" if self.percent else f"{number:.3f}"


def headline(retrieval: pd.DataFrame, zero_shot: pd.DataFrame, probing: pd.DataFrame) -> list[Card]:
    """Cards of one split: retrieval in both directions, zero-shot mechanisms, probing; those that there are.

    Parameters
    ----------
    retrieval, zero_shot, probing : tables ``metrics`` of one split, of these tasks; may be empty
    """
    return [*_retrieval(retrieval), *_zero_shot(zero_shot), *_probing(probing)]


def _card(rows: pd.DataFrame, title: str, basis: str, percent: bool = True, more: dict | None = None) -> Card:
    """The model's row, the values of other methods on the same setting beside it, then ``more``."""
    row = rows[rows["method"] == MODEL].iloc[0]
    values = dict(zip(rows["method"], rows["value"], strict=True))
    others = {method: values[method] for method in in_order(values) if method not in (MODEL, CHANCE)}
    numbers = {name: float(row[name]) for name in ("value", "low", "high", "chance")}
    return Card(title, row["split"], **numbers, basis=basis, percent=percent, others=others | (more or {}))


def _retrieval(metrics: pd.DataFrame) -> list[Card]:
    rows = single_draw(metrics[(metrics["pool"] == "sampled") & (metrics["metric"] == "top-1")])
    cards = []
    for direction, label in DIRECTIONS.items():
        here = rows[rows["direction"] == direction]
        if (here["method"] == MODEL).any():
            size, n = here.loc[here["method"] == MODEL, ["candidates", "n"]].iloc[0]
            here = here[(here["candidates"] == size)]
            cards.append(_card(here, label.capitalize(), f"n = {n:,.0f}, top-1 among {size:g} candidates"))
    return cards


def _zero_shot(metrics: pd.DataFrame) -> list[Card]:
    """The published protocol, with the model's value by the strictest other one beside it."""
    rows = single_draw(metrics[(metrics["task"] == list(TASKS)[-1]) & (metrics["metric"] == "top-1")])
    published = rows[(rows["pool"] == "full") & (rows["excluded"] == "none")]
    if not (published["method"] == MODEL).any():
        return []
    classes, n, compounds = published.loc[published["method"] == MODEL, ["candidates", "n", "compounds"]].iloc[0]
    strict = [(pool, excluded) for pool, excluded in protocols(rows) if pool == "full" and excluded != "none"]
    more: dict[str, float] = {}
    for pool, excluded in strict[-_STRICTEST:]:
        same = rows[(rows["method"] == MODEL) & (rows["pool"] == pool) & (rows["excluded"] == excluded)]
        more |= {f"{MODEL}, {protocol_label(pool, excluded)} only": value for value in same["value"]}
    basis = f"n = {n:,.0f} fields of {compounds:,.0f} compounds, top-1 among {classes:g} mechanisms"
    return [_card(published, "Zero-shot mechanism of action", basis, more=more)]


def _probing(metrics: pd.DataFrame) -> list[Card]:
    rows = metrics[(metrics["metric"] == "mean AUC") & (metrics["images"] == CLEAN) & (metrics["task"] == "probing")]
    if not (rows["method"] == MODEL).any():
        return []
    n = rows.loc[rows["method"] == MODEL, "n"].iloc[0]
    return [_card(rows, "Bioactivity by linear probing", f"mean AUC over {n:,} assays", percent=False)]

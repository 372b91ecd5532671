"""The report's first lines: what the model can do, one card per task."""

from dataclasses import dataclass, field

import pandas as pd

from cloome_kedro.reporting.style import Look, single_draw
from cloome_kedro.reporting.zero_shot_figures import protocol_label, protocols
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, RANDOM, RETRIEVAL, ZERO_SHOT_MOA

_STRICTEST = 1  # number of protocols beside the published one that a card names


@dataclass(frozen=True)
class Card:
    """One result with its interval and chance, on a scale from 0 to 1.

    Attributes
    ----------
    title, split
        What the result is of.
    value, low, high, chance
        The result, its interval, and what chance gives.
    basis
        What the value rests on, and on how many.
    percent
        Whether values are shares, which are shown as percentages.
    others
        What stands beside it -> its value.
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
        """A value as it is shown."""
        return f"{100 * number:.1f} %" if self.percent else f"{number:.3f}"


def headline(metrics: pd.DataFrame, look: Look) -> list[Card]:
    """Cards of one split: retrieval in both directions, zero-shot mechanisms, probing; those that there are.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, of all tasks.
    look
        Names and colours.
    """
    clean = metrics[metrics["images"] == CLEAN]
    return [*_retrieval(clean, look), *_zero_shot(clean, look), *_probing(clean, look)]


def _card(
    rows: pd.DataFrame, look: Look, title: str, basis: str, percent: bool = True, more: dict | None = None
) -> Card:
    """The model's row, the values of other methods in the same setting, then ``more``."""
    row = rows[rows["method"] == look.model].iloc[0]
    values = dict(zip(rows["method"], rows["value"], strict=True))
    others = {method: values[method] for method in look.in_order(values) if method not in (look.model, RANDOM)}
    numbers = {name: float(row[name]) for name in ("value", "low", "high", "chance")}
    return Card(title, row["split"], **numbers, basis=basis, percent=percent, others=others | (more or {}))


def _retrieval(metrics: pd.DataFrame, look: Look) -> list[Card]:
    rows = metrics[(metrics["task"] == RETRIEVAL) & (metrics["pool"] == "sampled") & (metrics["metric"] == "top-1")]
    rows = single_draw(rows)
    cards = []
    for direction, label in DIRECTIONS.items():
        here = rows[rows["direction"] == direction]
        if (here["method"] == look.model).any():
            size, n = here.loc[here["method"] == look.model, ["candidates", "n"]].iloc[0]
            here = here[(here["candidates"] == size)]
            cards.append(_card(here, look, label.capitalize(), f"n = {n:,.0f}, top-1 among {size:g} candidates"))
    return cards


def _zero_shot(metrics: pd.DataFrame, look: Look) -> list[Card]:
    """The published protocol, and beside it the model's value by the strictest other one."""
    rows = single_draw(metrics[(metrics["task"] == ZERO_SHOT_MOA) & (metrics["metric"] == "top-1")])
    published = rows[(rows["pool"] == "full") & (rows["excluded"] == "none")]
    if not (published["method"] == look.model).any():
        return []
    classes, n, compounds = published.loc[published["method"] == look.model, ["candidates", "n", "compounds"]].iloc[0]
    strict = [(pool, excluded) for pool, excluded in protocols(rows) if pool == "full" and excluded != "none"]
    more: dict[str, float] = {}
    for pool, excluded in strict[-_STRICTEST:]:
        same = rows[(rows["method"] == look.model) & (rows["pool"] == pool) & (rows["excluded"] == excluded)]
        more |= {f"{look.model}, {protocol_label(pool, excluded)} only": value for value in same["value"]}
    basis = f"n = {n:,.0f} fields of {compounds:,.0f} compounds, top-1 among {classes:g} mechanisms"
    return [_card(published, look, "Zero-shot mechanism of action", basis, more=more)]


def _probing(metrics: pd.DataFrame, look: Look) -> list[Card]:
    rows = metrics[(metrics["metric"] == "mean AUC") & (metrics["task"] == PROBING)]
    if not (rows["method"] == look.model).any():
        return []
    n = rows.loc[rows["method"] == look.model, "n"].iloc[0]
    return [_card(rows, look, "Bioactivity by linear probing", f"mean AUC over {n:,} assays", percent=False)]

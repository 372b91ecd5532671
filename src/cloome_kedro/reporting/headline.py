"""The first section of the report: the main results, one card per task and direction."""

from dataclasses import dataclass, field

import pandas as pd

from cloome_kedro.reporting.small_screens import evaluable, reasons_by_task
from cloome_kedro.reporting.style import Look, single_draw
from cloome_kedro.reporting.zero_shot_figures import protocol_label, protocols
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, RANDOM, RETRIEVAL, ZERO_SHOT_MOA, counted

_ZERO_SHOT_TITLE = "Zero-shot mechanism of action"


@dataclass(frozen=True)
class Card:
    """One result with its interval and chance, on a scale from 0 to 1.

    Attributes
    ----------
    title
        Name of the task.
    split
        Name of the split.
    value, low, high, chance
        The result, its interval, and the value that chance gives.
    basis
        The metric and the number of queries or assays.
    percent
        Whether values are shares, which are shown as percentages.
    others
        Name of another method or protocol -> its value.
    reason
        Why there is no result. It is empty if there is one.
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
    reason: str = ""

    @classmethod
    def without_result(cls, title: str, split: str, reason: str) -> "Card":
        """Make a card that says why there is no result."""
        nan = float("nan")
        return cls(title, split, nan, nan, nan, nan, basis="", reason=reason)

    def text(self, number: float) -> str:
        """Format a value of this card."""
        return f"{100 * number:.1f} %" if self.percent else f"{number:.3f}"


def headline(metrics: pd.DataFrame, look: Look, fold: str = "test") -> list[Card]:
    """Make the cards of one split: retrieval in both directions, zero-shot mechanisms, probing.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, all tasks.
    look
        Order of methods. The cards show the first model.
    fold
        Name of the fold that was evaluated.

    Returns
    -------
    list of Card
        Tasks without results have no card. The card of a task with a single candidate says that it cannot be evaluated.
    """
    clean = metrics[metrics["images"] == CLEAN]
    reasons = reasons_by_task(clean[clean["method"] == look.model], fold)
    split = "" if clean.empty else clean["split"].iloc[0]
    titles = {RETRIEVAL: "Retrieval", ZERO_SHOT_MOA: _ZERO_SHOT_TITLE}
    small = [Card.without_result(title, split, reasons[task]) for task, title in titles.items() if task in reasons]
    clean = evaluable(clean)
    return [*small, *_retrieval(clean, look), *_zero_shot(clean, look), *_probing(clean, look)]


def _card(
    rows: pd.DataFrame, look: Look, title: str, basis: str, percent: bool = True, more: dict | None = None
) -> Card:
    """Make the card of the first model, with the other methods in ``rows``, and then ``more`` values."""
    row = rows[rows["method"] == look.model].iloc[0]
    values = dict(zip(rows["method"], rows["value"], strict=True))
    others = {method: values[method] for method in look.in_order(values) if method not in (look.model, RANDOM)}
    value, low, high, chance = (float(row[name]) for name in ("value", "low", "high", "chance"))
    return Card(title, row["split"], value, low, high, chance, basis, percent, others=others | (more or {}))


def _retrieval(metrics: pd.DataFrame, look: Look) -> list[Card]:
    rows = metrics[(metrics["task"] == RETRIEVAL) & (metrics["pool"] == "sampled") & (metrics["metric"] == "top-1")]
    rows = single_draw(rows)
    cards = []
    for direction, label in DIRECTIONS.items():
        rows_of_direction = rows[rows["direction"] == direction]
        model_rows = rows_of_direction[rows_of_direction["method"] == look.model]
        if len(model_rows):
            size, n = model_rows[["candidates", "n"]].iloc[0]
            comparable = rows_of_direction[rows_of_direction["candidates"] == size]
            cards.append(
                _card(comparable, look, label.capitalize(), f"n = {n:,.0f}, top-1 among {counted(size, 'candidate')}")
            )
    return cards


def _zero_shot(metrics: pd.DataFrame, look: Look) -> list[Card]:
    """Make the card of the published protocol. It also has the model's value with the strictest protocol."""
    rows = single_draw(metrics[(metrics["task"] == ZERO_SHOT_MOA) & (metrics["metric"] == "top-1")])
    published = rows[(rows["pool"] == "full") & (rows["excluded"] == "none")]
    model_rows = published[published["method"] == look.model]
    if model_rows.empty:
        return []
    classes, n, compounds = model_rows[["candidates", "n", "compounds"]].iloc[0]
    stricter = [(pool, excluded) for pool, excluded in protocols(rows) if pool == "full" and excluded != "none"]
    more: dict[str, float] = {}
    for pool, excluded in stricter[-1:]:
        strict_rows = rows[(rows["method"] == look.model) & (rows["pool"] == pool) & (rows["excluded"] == excluded)]
        more |= {f"{look.model}, {protocol_label(pool, excluded)} only": value for value in strict_rows["value"]}
    basis = (
        f"n = {counted(n, 'field')} of {counted(compounds, 'compound')}, top-1 among {counted(classes, 'mechanism')}"
    )
    return [_card(published, look, _ZERO_SHOT_TITLE, basis, more=more)]


def _probing(metrics: pd.DataFrame, look: Look) -> list[Card]:
    rows = metrics[(metrics["metric"] == "mean AUC") & (metrics["task"] == PROBING)]
    model_rows = rows[rows["method"] == look.model]
    if model_rows.empty:
        return []
    basis = f"mean AUC over {counted(model_rows['n'].iloc[0], 'assay')}"
    return [_card(rows, look, "Bioactivity by linear probing", basis, percent=False)]

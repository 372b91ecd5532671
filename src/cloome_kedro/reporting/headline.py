"""The first section of the report: the main results, one card per task and direction."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cloome_kedro.evaluation.comparison import verdict
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.reporting.small_screens import evaluable, reasons_by_task
from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.zero_shot_figures import protocol_label, protocols
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, PROFILES, RANDOM, RETRIEVAL, ZERO_SHOT_MOA, counted

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
    verdicts
        Name of a method -> its difference from the baseline in words. The baseline is the reference of the study, or
        the profiles in tasks without compounds.
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
    verdicts: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def without_result(cls, title: str, split: str, reason: str) -> "Card":
        """Make a card that says why there is no result."""
        nan = float("nan")
        return cls(title, split, nan, nan, nan, nan, basis="", reason=reason)

    def text(self, number: float) -> str:
        """Format a value of this card."""
        return f"{100 * number:.1f} %" if self.percent else f"{number:.3f}"


def headline(
    metrics: pd.DataFrame, differences: pd.DataFrame, look: Look, fold: str = "test", confidence: float = 0.95
) -> list[Card]:
    """Make the cards of one split: retrieval in both directions, zero-shot mechanisms, probing.

    Values are means over all draws.

    Parameters
    ----------
    metrics, differences
        Tables of these names of one split, all tasks.
    look
        Order of methods. The cards show the first model.
    fold
        Name of the fold that was evaluated.
    confidence
        Confidence level of the intervals.

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
    clean = _with_width(evaluable(clean), confidence)
    differences = differences[differences["images"] == CLEAN]
    return [
        *small,
        *_retrieval(clean, differences, look),
        *_zero_shot(clean, differences, look),
        *_probing(clean, differences, look),
    ]


def _with_width(metrics: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Give shares that are 0 or 1 for all compounds the exact interval over compounds; a bootstrap is a point there."""
    same = (metrics["interval"] == "bootstrap") & (metrics["low"] == metrics["high"]) & metrics["value"].isin([0, 1])
    if not same.any():
        return metrics
    compounds = metrics.loc[same, "compounds"]
    low, high = exact_interval((metrics.loc[same, "value"] * compounds).astype(int), compounds, confidence)
    limits = pd.DataFrame({"low": low, "high": high}, index=compounds.index)
    low, high = (limits[name].combine_first(metrics[name]) for name in ("low", "high"))
    return metrics.assign(low=low, high=high)


def over_draws(metrics: pd.DataFrame) -> pd.DataFrame:
    """Select means over all draws, or the single draw if there is only one.

    Returns
    -------
    pandas.DataFrame
        Rows in which one field shows a compound or class. If there are none, rows in which the mean of fields does.
    """
    rows = metrics[metrics["draws"] == metrics["draws"].max()]
    return rows[rows["shown_by"] == ("field" if (rows["shown_by"] == "field").any() else "mean")]


def verdict_text(row: Mapping[Any, Any], percent: bool) -> str:
    """Say how a method compares with its baseline.

    Parameters
    ----------
    row
        Row of the table ``differences``.
    percent
        Whether values are shares.

    Examples
    --------
    >>> row = {"against": "method Bilinear", "difference": 0.08, "low": 0.04, "high": 0.123}
    >>> verdict_text(row, percent=True)
    'above Bilinear by 8.0 points (4.0 to 12.3)'
    >>> verdict_text(row | {"low": -0.01}, percent=False)
    'no different from Bilinear (+0.080, -0.010 to +0.123)'
    """
    baseline, side = row["against"].removeprefix("method "), verdict(row["low"], row["high"])
    numbers = [row["difference"], row["low"], row["high"]]
    if side == "below":
        numbers = [-row["difference"], -row["high"], -row["low"]]
    sign = "+" if side == "no different" else ""
    value, low, high = (f"{100 * number:{sign}.1f}" if percent else f"{number:{sign}.3f}" for number in numbers)
    points = " points" if percent else ""
    if side == "no different":
        return f"no different from {baseline} ({value}{points}, {low} to {high})"
    return f"{side} {baseline} by {value}{points} ({low} to {high})"


def _verdicts(differences: pd.DataFrame, look: Look, baseline: str, percent: bool = True) -> dict[str, str]:
    """Verdict of each model, by its name, from the rows of one setting."""
    rows = differences[differences["against"] == f"method {baseline}"]
    rows = rows[rows["shown_by"] == ("field" if (rows["shown_by"] == "field").any() else "mean")]
    texts = {row["method"]: verdict_text(row, percent) for row in rows.to_dict("records")}
    return {method: texts[method] for method in look.in_order(texts)}


def _card(
    rows: pd.DataFrame, look: Look, title: str, basis: str, percent: bool = True, more: dict | None = None
) -> Card:
    """Make the card of the first model, with the other methods in ``rows``, and then ``more`` values."""
    row = rows[rows["method"] == look.model].iloc[0]
    values = dict(zip(rows["method"], rows["value"], strict=True))
    others = {method: values[method] for method in look.in_order(values) if method not in (look.model, RANDOM)}
    value, low, high, chance = (float(row[name]) for name in ("value", "low", "high", "chance"))
    return Card(title, row["split"], value, low, high, chance, basis, percent, others=others | (more or {}))


def _retrieval(metrics: pd.DataFrame, differences: pd.DataFrame, look: Look) -> list[Card]:
    rows, paired = (
        table[(table["task"] == RETRIEVAL) & (table["pool"] == "sampled") & (table["metric"] == "top-1")]
        for table in (metrics, differences)
    )
    rows = over_draws(rows)
    cards = []
    for direction, label in DIRECTIONS.items():
        verdicts = _verdicts(paired[paired["direction"] == direction], look, look.reference)
        rows_of_direction = rows[rows["direction"] == direction]
        model_rows = rows_of_direction[rows_of_direction["method"] == look.model]
        if len(model_rows):
            size, n = model_rows[["candidates", "n"]].iloc[0]
            comparable = rows_of_direction[rows_of_direction["candidates"] == size]
            basis = f"n = {n:,.0f}, top-1 among {counted(size, 'candidate')}{_draws_text(model_rows)}"
            card = _card(comparable, look, label.capitalize(), basis)
            cards.append(dataclasses.replace(card, verdicts=verdicts))
    return cards


def _draws_text(rows: pd.DataFrame) -> str:
    draws = int(rows["draws"].iloc[0])
    return f", mean of {draws} draws" if draws > 1 else ""


def _zero_shot(metrics: pd.DataFrame, differences: pd.DataFrame, look: Look) -> list[Card]:
    """Make the card of the published protocol. It also has the model's value with the strictest protocol."""
    rows = over_draws(metrics[(metrics["task"] == ZERO_SHOT_MOA) & (metrics["metric"] == "top-1")])
    paired = differences[(differences["task"] == ZERO_SHOT_MOA) & (differences["metric"] == "top-1")]
    paired = paired[(paired["pool"] == "full") & (paired["excluded"] == "none")]
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
        f"{_draws_text(model_rows)}"
    )
    card = _card(published, look, _ZERO_SHOT_TITLE, basis, more=more)
    return [dataclasses.replace(card, verdicts=_verdicts(paired, look, PROFILES))]


def _probing(metrics: pd.DataFrame, differences: pd.DataFrame, look: Look) -> list[Card]:
    rows = metrics[(metrics["metric"] == "mean AUC") & (metrics["task"] == PROBING)]
    model_rows = rows[rows["method"] == look.model]
    if model_rows.empty:
        return []
    basis = f"mean AUC over {counted(model_rows['n'].iloc[0], 'assay')}"
    card = _card(rows, look, "Bioactivity by linear probing", basis, percent=False)
    paired = differences[(differences["metric"] == "mean AUC") & (differences["task"] == PROBING)]
    return [dataclasses.replace(card, verdicts=_verdicts(paired, look, PROFILES, percent=False))]

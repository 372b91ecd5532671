"""Figures of zero-shot classification: top-1 by method and by what is excluded."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.figures import draw_within_k
from cloome_kedro.reporting.style import Look, dodge, single_draw, styled
from cloome_kedro.words import RANDOM, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

QUESTIONS = {
    ZERO_SHOT_COMPOUND: "which compound does this image show?",
    ZERO_SHOT_MOA: "which mechanism of action does this image show?",
}
_EXCLUDED = ["none", "well", "plate", "compound", "plate+compound"]


def protocol_label(pool: str, excluded: str | None) -> str:
    """A protocol as people read it, such as ``other plates`` where references of the query's plate are left out."""
    if pool == "same plate":
        among = "same plate"
        return among if excluded in (None, "none") else f"{among}, other {str(excluded).replace('+', ' and ')}s"
    if excluded in (None, "none"):
        return "any reference"
    return "other " + " and ".join(f"{key}s" for key in str(excluded).split("+"))


def protocols(metrics: pd.DataFrame) -> list[tuple[str, str]]:
    """(pool, excluded) of ``metrics`` as figures and tables show them: the published first, the same plate last."""
    present = set(metrics[["pool", "excluded"]].itertuples(index=False, name=None))
    place = {excluded: i for i, excluded in enumerate(_EXCLUDED)}
    return sorted(present, key=lambda key: (key[0] == "same plate", place.get(key[1], len(place)), key[1]))


@styled
def zero_shot_accuracy(metrics: pd.DataFrame, look: Look) -> Figure:
    """Top-1 accuracy of every method, with its exact interval, by what references may be; chance dashed.

    There is one panel for each task that has rows.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, of all tasks.
    look
        Names and colours.
    """
    rows = single_draw(metrics[(metrics["metric"] == "top-1") & metrics["task"].isin(QUESTIONS)])
    tasks = [task for task in QUESTIONS if (rows["task"] == task).any()]
    if not tasks:
        return look.message("No zero-shot results.")
    methods = [method for method in look.in_order(rows["method"]) if method != RANDOM]
    figure = Figure(figsize=(12, 3.1 * len(tasks) + 0.4), layout="constrained")
    for axis, task in zip(figure.subplots(len(tasks), 1, squeeze=False)[:, 0], tasks, strict=True):
        _draw_task(axis, rows[rows["task"] == task], methods, look)
        axis.set_title(f"{task}: {QUESTIONS[task]}", loc="left")
    entries = look.legend_entries(methods)
    entries += [line for line in axis.lines if line.get_label() == "chance"][:1]
    figure.legend(handles=entries, loc="outside right center", frameon=False)
    return look.on(figure)


def _draw_task(axis: Axes, rows: pd.DataFrame, methods: list[str], look: Look) -> None:
    places = protocols(rows)
    offsets, taken = dodge(len(methods)), look.colours(methods)
    labels = []
    for place, (pool, excluded) in enumerate(places):
        here = rows[(rows["pool"] == pool) & (rows["excluded"] == excluded)]
        for row in here[here["method"] != RANDOM].to_dict("records"):
            look.mark(axis, place + offsets[methods.index(row["method"])], row, taken[row["method"]])
        chance = here["chance"].mean()
        axis.plot([place - 0.45, place + 0.45], [chance] * 2, "--", color="0.1", label="" if place else "chance")
        label = textwrap.fill(protocol_label(pool, excluded), 16)
        labels.append(f"{label}\nn = {here['n'].max():,}")
    axis.set_xticks(range(len(places)), labels, fontsize=8.5)
    for place in range(1, len(places)):
        axis.axvline(place - 0.5, color="0.85", linewidth=0.8)
    axis.grid(visible=False, axis="x")
    top = min(1.02, 1.12 * float(rows["high"].max()))
    axis.set(ylim=(-0.03 * top, top), xlim=(-0.5, len(places) - 0.5))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


@styled
def zero_shot_ranks(ranks: pd.DataFrame, look: Look) -> Figure:
    """Share of queries whose class is among the first k, for every k, with any reference; one panel per task.

    Parameters
    ----------
    ranks
        Table ``ranks`` of one split, of all methods.
    look
        Names and colours.
    """
    rows = single_draw(ranks[(ranks["pool"] == "full") & (ranks["excluded"] == "none")])
    tasks = [task for task in QUESTIONS if (rows["task"] == task).any()]
    if not tasks:
        return look.message("No zero-shot results.")
    figure = Figure(figsize=(5.2 * len(tasks) + 1.8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axis, task in zip(axes, tasks, strict=True):
        here = rows[rows["task"] == task]
        draw_within_k(axis, here, look.colours(rows["method"]))
        axis.set_title(f"{task}, {here['candidates'].max()} classes", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.on(figure)

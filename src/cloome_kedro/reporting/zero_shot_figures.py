"""Figures of zero-shot classification: top-1 by method and allowed references, and distributions of ranks."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.figures import draw_within_k
from cloome_kedro.reporting.style import Look, dodge, single_draw, styled
from cloome_kedro.words import RANDOM, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA, counted

#: task -> the question that it answers
QUESTIONS = {
    ZERO_SHOT_COMPOUND: "which compound does this image show?",
    ZERO_SHOT_MOA: "which mechanism of action does this image show?",
}
_EXCLUDED = ["none", "well", "plate", "compound", "plate+compound"]


def protocol_label(pool: str, excluded: str | None) -> str:
    """Name the references that a protocol allows.

    Parameters
    ----------
    pool
        ``full`` or ``same plate``.
    excluded
        Keys that a reference must not share with the query, joined by ``+``. ``none`` or None if all are allowed.

    Examples
    --------
    >>> protocol_label("full", "plate+compound")
    'other plates and compounds'
    """
    others = (
        "" if excluded in (None, "none") else "other " + " and ".join(f"{key}s" for key in str(excluded).split("+"))
    )
    if pool == "same plate":
        return f"same plate, {others}" if others else "same plate"
    return others or "any reference"


def protocols(metrics: pd.DataFrame) -> list[tuple[str, str]]:
    """List the pairs (pool, excluded) in a table: the published protocol first, the same plate last.

    Parameters
    ----------
    metrics
        Table ``metrics`` or ``differences``.
    """
    present = set(metrics[["pool", "excluded"]].itertuples(index=False, name=None))

    def position(protocol: tuple[str, str]) -> tuple[bool, int, str]:
        pool, excluded = protocol
        known = excluded in _EXCLUDED
        return pool == "same plate", _EXCLUDED.index(excluded) if known else len(_EXCLUDED), excluded

    return sorted(present, key=position)


@styled
def zero_shot_accuracy(metrics: pd.DataFrame, look: Look) -> Figure:
    """Draw top-1 accuracy of every method with its exact interval, by allowed references; dashed: chance.

    The figure has one panel per task that has results.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, all tasks.
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
    return look.add_title(figure)


def _draw_task(axis: Axes, rows: pd.DataFrame, methods: list[str], look: Look) -> None:
    columns = protocols(rows)
    offsets, colours = dodge(len(methods)), look.colours(methods)
    labels = []
    for x, (pool, excluded) in enumerate(columns):
        protocol_rows = rows[(rows["pool"] == pool) & (rows["excluded"] == excluded)]
        for row in protocol_rows[protocol_rows["method"] != RANDOM].to_dict("records"):
            look.mark(axis, x + offsets[methods.index(row["method"])], row, colours[row["method"]])
        chance = protocol_rows["chance"].mean()
        axis.plot([x - 0.45, x + 0.45], [chance] * 2, "--", color="0.1", label="" if x else "chance")
        label = textwrap.fill(protocol_label(pool, excluded), 16)
        labels.append(f"{label}\nn = {protocol_rows['n'].max():,}")
    axis.set_xticks(range(len(columns)), labels, fontsize=8.5)
    for x in range(1, len(columns)):
        axis.axvline(x - 0.5, color="0.85", linewidth=0.8)
    axis.grid(visible=False, axis="x")
    top = min(1.02, 1.12 * float(rows["high"].max()))
    axis.set(ylim=(-0.03 * top, top), xlim=(-0.5, len(columns) - 0.5))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


@styled
def zero_shot_ranks(ranks: pd.DataFrame, look: Look) -> Figure:
    """Draw the share of queries whose class is among the first k, for every k; any reference is allowed.

    The figure has one panel per task that has results.

    Parameters
    ----------
    ranks
        Table ``ranks`` of one split, all methods.
    look
        Names and colours.
    """
    ranks = single_draw(ranks[(ranks["pool"] == "full") & (ranks["excluded"] == "none")])
    tasks = [task for task in QUESTIONS if (ranks["task"] == task).any()]
    if not tasks:
        return look.message("No zero-shot results.")
    figure = Figure(figsize=(5.2 * len(tasks) + 1.8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axis, task in zip(axes, tasks, strict=True):
        task_ranks = ranks[ranks["task"] == task]
        draw_within_k(axis, task_ranks, look.colours(ranks["method"]), look=look)
        axis.set_title(f"{task}, {counted(task_ranks['candidates'].max(), 'class', 'classes')}", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.add_title(figure)

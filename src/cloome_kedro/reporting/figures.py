"""Figures of training and retrieval: training curves, distributions of ranks, top-k accuracies."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cloome_kedro.reporting.style import Look, log_ticks, single_draw, styled, top_k_names
from cloome_kedro.words import DIRECTIONS, RANDOM, counted

_POOLS = ("sampled", "full")


@styled
def training_curves(history: pd.DataFrame, look: Look) -> Figure:
    """Draw loss, validation top-1 and inverse temperature over epochs, with a mark at the epoch that was kept.

    Parameters
    ----------
    history
        Table of this name. It is empty for a published model.
    look
        Title and note.
    """
    if history.empty:
        return look.message("The model was not trained here.")
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    loss, accuracy, temperature = figure.subplots(1, 3, sharex=True)
    curves = {
        loss: {"training": "train_loss", "validation": "validation_loss"},
        accuracy: {
            **{label: f"validation_top1_{name.replace(' ', '_')}" for name, label in DIRECTIONS.items()},
            "mean": "validation_top1",
        },
        temperature: {"": "inverse_temperature"},
    }
    for axis, columns in curves.items():
        # Validation needs at least two compounds.
        measured = [name for name in columns.items() if name[1] in history and history[name[1]].notna().any()]
        for label, column in measured:
            style = {"color": "0.2", "linewidth": 2} if label == "mean" else {}
            sns.lineplot(x=history["epoch"], y=history[column], ax=axis, label=label or None, **style)
        if not measured:
            axis.text(0.5, 0.5, "not evaluated", color="0.35", ha="center", transform=axis.transAxes)
        for epoch in history.loc[history["best"], "epoch"]:
            axis.axvline(epoch, color="0.5", linestyle=":", label="kept epoch" if axis is accuracy else None)
        axis.set(xlabel="epoch", ylabel="")
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    for axis in (loss, accuracy):
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    loss.set_title("loss")
    accuracy.set_title("validation top-1, full pool")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    temperature.set_title("inverse temperature")
    return look.add_title(figure)


@styled
def rank_distribution(ranks: pd.DataFrame, look: Look) -> Figure:
    """Draw the share of queries whose match is among the first k candidates, for every k, with chance.

    The figure has one panel per direction and pool, and one curve per method.

    Parameters
    ----------
    ranks
        Table ``ranks`` of retrieval, all methods. The figure shows the single draw.
    look
        Names and colours.
    """
    ranks = single_draw(ranks)
    pools = [pool for pool in _POOLS if (ranks["pool"] == pool).any()]
    colours = look.colours(ranks["method"])
    figure = Figure(figsize=(5.2 * len(pools) + 1.8, 6.6), layout="constrained")
    axes = figure.subplots(2, len(pools), squeeze=False, sharey=True)
    for row, (direction, label) in zip(axes, DIRECTIONS.items(), strict=True):
        for axis, pool in zip(row, pools, strict=True):
            panel_ranks = ranks[(ranks["direction"] == direction) & (ranks["pool"] == pool)]
            draw_within_k(axis, panel_ranks, colours, look=look)
            size = counted(panel_ranks["candidates"].max(), "candidate")
            axis.set_title(f"{label}, {size} ({pool} pool)", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.add_title(figure)


def draw_within_k(
    axis: Axes, ranks: pd.DataFrame, colours: dict[str, Any], by: str = "method", look: Look | None = None
) -> None:
    """Draw the share of queries with a rank of at most k, one curve per method; dashed: chance in the same pools.

    Parameters
    ----------
    axis
        Axes to draw on.
    ranks
        Table ``ranks`` of one setting.
    colours
        Method -> colour of its curve, in the order of the legend. The first curve lies on top.
    by
        Column of ``ranks`` that holds the keys of ``colours``.
    look
        Styles of the curves of methods. None: all curves are solid.
    """
    for position, (label, colour) in enumerate(colours.items()):
        values, counts = np.unique(ranks.loc[ranks[by] == label, "rank"], return_counts=True)
        if len(values):
            # The curve rises from zero at the first rank, and continues to the size of the pool.
            steps = [values[0], *values, ranks["candidates"].max()]
            share = np.cumsum([0, *counts, 0]) / counts.sum()
            line = look.variant(label).line if look else "-"
            curve = {"color": colour, "linewidth": 2, "linestyle": line, "zorder": 3 - position / 10}
            axis.step(steps, share, where="post", label=label, **curve)
    sizes, counts = np.unique(ranks["candidates"], return_counts=True)
    largest = max(sizes, default=1)
    k = np.unique(np.geomspace(1, largest, 200).round())
    chance = sum(np.minimum(k / size, 1) * count for size, count in zip(sizes, counts, strict=True)) / counts.sum()
    axis.plot(k, chance, "--", color="0.1", linewidth=1.2, label="chance")
    axis.set_xscale("log")
    axis.set(xlabel="k", ylabel="match within the first k", ylim=(0, 1.02), xlim=(0.9, largest * 1.1))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    log_ticks(axis.xaxis, 1, largest)


@styled
def top_k_bars(metrics: pd.DataFrame, look: Look) -> Figure:
    """Draw top-k accuracies of all methods with exact intervals, one panel per direction; dashed: chance.

    Parameters
    ----------
    metrics
        Table ``metrics`` of retrieval, one split. The figure shows the single draw and the sampled pool.
    look
        Names and colours.
    """
    metrics = single_draw(metrics)
    rows = metrics[(metrics["pool"] == "sampled") & metrics["metric"].str.startswith("top-")]
    top_ks = top_k_names(rows["metric"])
    methods = [method for method in look.in_order(rows["method"]) if method != RANDOM]
    colours = look.colours(methods)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axis, (direction, label) in zip(figure.subplots(1, 2, sharey=True), DIRECTIONS.items(), strict=True):
        panel_rows = rows[rows["direction"] == direction]
        bars = panel_rows[panel_rows["method"].isin(methods)]
        sns.barplot(
            bars, x="metric", y="value", order=top_ks, hue="method", hue_order=methods, palette=colours, ax=axis
        )
        # The bars of each method, and then their entries in the legend
        entries = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        for method, container in zip(methods, axis.containers, strict=False):
            for bar in [*container, *([entries[method]] if method in entries else [])]:
                bar.set(hatch=look.variant(method).hatch, edgecolor="white")
        width = 0.8 / max(len(methods), 1)
        for row in bars.dropna(subset="low").to_dict("records"):
            x = top_ks.index(row["metric"]) - 0.4 + width * (methods.index(row["method"]) + 0.5)
            axis.plot([x, x], [row["low"], row["high"]], color="0.2", linewidth=1.5)
        for x, metric in enumerate(top_ks):
            for chance in panel_rows.loc[panel_rows["metric"] == metric, "chance"].unique()[:1]:
                axis.hlines(chance, x - 0.45, x + 0.45, color="0.1", linestyle="--", label="" if x else "chance")
        size = int(panel_rows["candidates"].max()) if len(panel_rows) else 0
        axis.set(xlabel="", ylabel="", ylim=(0, 1.02), title=f"{label}, {counted(size, 'candidate')}")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.get_legend().remove()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.add_title(figure)

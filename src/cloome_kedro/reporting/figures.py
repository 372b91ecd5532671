"""Figures of training and of ranks: training curves, ranks, and top-k accuracies of retrieval beside baselines."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.style import Look, single_draw, styled, top_k_names
from cloome_kedro.words import DIRECTIONS, RANDOM

POOLS = ("sampled", "full")


@styled
def training_curves(history: pd.DataFrame, look: Look) -> Figure:
    """Loss, validation top-1 in both directions and inverse temperature over epochs; the kept epoch is marked.

    Parameters
    ----------
    history
        Table of that name; empty for a published model.
    look
        Names and colours.
    """
    if history.empty:
        return look.message("The model was not trained here.")
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    loss, accuracy, temperature = figure.subplots(1, 3)
    curves = {
        loss: {"training": "train_loss", "validation": "validation_loss"},
        accuracy: {
            **{label: f"validation_top1_{name.replace(' ', '_')}" for name, label in DIRECTIONS.items()},
            "mean": "validation_top1",
        },
        temperature: {"": "inverse_temperature"},
    }
    for axis, columns in curves.items():
        # Without two validation compounds nothing was measured on them.
        for label, column in ((label, name) for label, name in columns.items() if name in history):
            style = {"color": "0.2", "linewidth": 2} if label == "mean" else {}
            sns.lineplot(x=history["epoch"], y=history[column], ax=axis, label=label or None, **style)
        for epoch in history.loc[history["best"], "epoch"]:
            axis.axvline(epoch, color="0.5", linestyle=":", label="kept epoch" if axis is accuracy else None)
        axis.set(xlabel="epoch", ylabel="")
    for axis in (loss, accuracy):
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    loss.set_title("loss")
    accuracy.set_title("validation top-1, full pool")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    temperature.set_title("inverse temperature")
    return look.on(figure)


@styled
def rank_distribution(ranks: pd.DataFrame, look: Look) -> Figure:
    """Share of queries whose match is among the first k candidates, for every k, beside chance.

    There is one panel for each direction and pool, with one curve per method.

    Parameters
    ----------
    ranks
        Table ``ranks`` of retrieval, of all methods. The single draw of fields is drawn.
    look
        Names and colours.
    """
    ranks = single_draw(ranks)
    pools = [pool for pool in POOLS if (ranks["pool"] == pool).any()]
    colours = look.colours(ranks["method"])
    figure = Figure(figsize=(5.2 * len(pools) + 1.8, 6.6), layout="constrained")
    axes = figure.subplots(2, len(pools), squeeze=False, sharey=True)
    for line, (direction, label) in zip(axes, DIRECTIONS.items(), strict=True):
        for axis, pool in zip(line, pools, strict=True):
            rows = ranks[(ranks["direction"] == direction) & (ranks["pool"] == pool)]
            draw_within_k(axis, rows, colours)
            axis.set_title(f"{label}, {rows['candidates'].max()} candidates ({pool} pool)", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.on(figure)


def draw_within_k(axis: Axes, rows: pd.DataFrame, colours: dict[str, Any], by: str = "method") -> None:
    """Draw the share of queries with rank k or less, one curve per method; dashed what chance gives in the same pools.

    Parameters
    ----------
    rows
        Table ``ranks`` of one setting.
    colours
        Method -> colour of its curve, in the order of the legend; the first lies on top.
    by
        Column of ``rows`` that ``colours`` names values of.
    """
    for depth, (label, colour) in enumerate(colours.items()):
        ranks, counts = np.unique(rows.loc[rows[by] == label, "rank"], return_counts=True)
        if len(ranks):
            places = [ranks[0], *ranks, rows["candidates"].max()]  # up from zero, and to the end
            share = np.cumsum([0, *counts, 0]) / counts.sum()
            axis.step(places, share, where="post", color=colour, linewidth=2, label=label, zorder=3 - depth / 10)
    sizes, counts = np.unique(rows["candidates"], return_counts=True)
    k = np.unique(np.geomspace(1, max(sizes, default=1), 200).round())
    chance = sum(np.minimum(k / size, 1) * count for size, count in zip(sizes, counts, strict=True)) / counts.sum()
    axis.plot(k, chance, "--", color="0.1", linewidth=1.2, label="chance")
    axis.set_xscale("log")
    axis.set(xlabel="k", ylabel="match within the first k", ylim=(0, 1.02), xlim=(0.9, max(sizes, default=1) * 1.1))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.xaxis.set_major_formatter("{x:g}")


@styled
def top_k_bars(metrics: pd.DataFrame, look: Look) -> Figure:
    """Top-k accuracies of all methods with exact intervals, chance dashed; one panel per direction.

    Parameters
    ----------
    metrics
        Table ``metrics`` of retrieval, of one split. The single draw of fields and the sampled pool are drawn.
    look
        Names and colours.
    """
    metrics = single_draw(metrics)
    rows = metrics[(metrics["pool"] == "sampled") & metrics["metric"].str.startswith("top-")]
    ks = top_k_names(rows["metric"])
    methods = [method for method in look.in_order(rows["method"]) if method != RANDOM]
    taken = look.colours(methods)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axis, (direction, label) in zip(figure.subplots(1, 2, sharey=True), DIRECTIONS.items(), strict=True):
        here = rows[rows["direction"] == direction]
        drawn = here[here["method"].isin(methods)]
        sns.barplot(drawn, x="metric", y="value", order=ks, hue="method", hue_order=methods, palette=taken, ax=axis)
        width = 0.8 / max(len(methods), 1)
        for row in drawn.dropna(subset="low").to_dict("records"):
            x = ks.index(row["metric"]) - 0.4 + width * (methods.index(row["method"]) + 0.5)
            axis.plot([x, x], [row["low"], row["high"]], color="0.2", linewidth=1.5)
        for x, metric in enumerate(ks):
            for chance in here.loc[here["metric"] == metric, "chance"].unique()[:1]:
                axis.hlines(chance, x - 0.45, x + 0.45, color="0.1", linestyle="--", label="" if x else "chance")
        size = int(here["candidates"].max()) if len(here) else 0
        axis.set(xlabel="", ylabel="", ylim=(0, 1.02), title=f"{label}, {size} candidates")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.get_legend().remove()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.on(figure)

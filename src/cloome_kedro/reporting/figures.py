"""Figures of a study, in seaborn: training curves, ranks, and top-k accuracies beside baselines."""

from collections.abc import Iterable
from functools import wraps

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

#: directions as the tables name them -> as figures and reports explain them
DIRECTIONS = {"structure retrieval": "image → compound", "image retrieval": "compound → image"}
MODEL, BASELINE, CHANCE = "CLOOME", "Bilinear", "Random"


def in_order(methods: Iterable[str]) -> list[str]:
    """Methods as every table and figure shows them: the model, the bilinear baseline, chance, then oracles by name."""
    first = [MODEL, BASELINE, CHANCE]
    return sorted(set(methods), key=lambda method: (first.index(method) if method in first else len(first), method))


def single_draw(table: pd.DataFrame) -> pd.DataFrame:
    """Of retrieval ranks or metrics: the single draw of one field a compound, clean images, full and sampled pool."""
    first = table["draw"] == 0 if "draw" in table else table["draws"] == 1
    clean = (table["shown_by"] == "field") & (table["images"] == "clean") & table["pool"].isin(["full", "sampled"])
    return table[first & clean]


def _styled(draw):
    """Draw in one style without touching matplotlib's global settings."""

    @wraps(draw)
    def styled(*args, **kwargs):
        with (
            sns.axes_style("whitegrid"),
            sns.plotting_context("notebook", font_scale=0.9),
            sns.color_palette("colorblind"),
        ):
            return draw(*args, **kwargs)

    return styled


def _titled(figure: Figure, title: str, note: str) -> Figure:
    """Title on the left, the note (simulated data) in small type after it."""
    figure.suptitle(" · ".join(part for part in (title, note) if part), x=0.01, ha="left", fontsize=10, color="0.35")
    return figure


@_styled
def training_curves(history: pd.DataFrame, title: str = "", note: str = "") -> Figure:
    """Loss, validation top-1 in both directions and inverse temperature over epochs; the kept epoch is marked.

    Parameters
    ----------
    history : table ``history``, one row an epoch
    title, note : small text above, e.g. the split, and that the data are simulated
    """
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    loss, accuracy, temperature = figure.subplots(1, 3)
    curves = {
        loss: {"training": "train_loss", "validation": "validation_loss"},
        accuracy: {
            "image → compound": "validation_top1_structure_retrieval",
            "compound → image": "validation_top1_image_retrieval",
            "mean": "validation_top1",
        },
        temperature: {"": "inverse_temperature"},
    }
    for axis, columns in curves.items():
        for label, column in columns.items():
            style = {"color": "0.2", "linewidth": 2} if label == "mean" else {}
            sns.lineplot(x=history["epoch"], y=history[column], ax=axis, label=label or None, **style)
        for epoch in history.loc[history["best"], "epoch"]:
            axis.axvline(epoch, color="0.5", linestyle=":", label="kept epoch" if axis is accuracy else None)
        axis.set(xlabel="epoch", ylabel="")
    loss.set_title("loss")
    loss.legend()
    accuracy.set_title("validation top-1, full pool")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    accuracy.legend()
    temperature.set_title("inverse temperature")
    return _titled(figure, title, note)


@_styled
def rank_distribution(ranks: pd.DataFrame, title: str = "", note: str = "") -> Figure:
    """Share of queries whose match is among the first k candidates, for every k, beside chance (k / candidates).

    One panel a pool, one curve a direction.

    Parameters
    ----------
    ranks : table ``ranks`` of retrieval (of one method); the single draw of fields is drawn
    """
    ranks = single_draw(ranks)
    pools = sorted(ranks["pool"].unique(), reverse=True)  # sampled, full
    figure = Figure(figsize=(5.5 * max(len(pools), 1), 3.8), layout="constrained")
    for axis, pool in zip(figure.subplots(1, max(len(pools), 1), squeeze=False)[0], pools, strict=False):
        rows = ranks[ranks["pool"] == pool]
        size = int(rows["candidates"].max())
        shown = rows.assign(direction=rows["direction"].map(DIRECTIONS))
        sns.ecdfplot(shown, x="rank", hue="direction", hue_order=list(DIRECTIONS.values()), ax=axis, linewidth=2)
        k = np.arange(1, size + 1)
        chance = axis.plot(k, k / size, color="0.4", linestyle="--")
        curves = axis.get_legend().legend_handles
        axis.legend([*curves, *chance], [*DIRECTIONS.values(), "chance"], loc="upper left", fontsize=9)
        axis.set_xscale("log")
        axis.set(xlabel="k", ylabel="match within the first k", ylim=(0, 1.02), xlim=(0.9, size * 1.1))
        axis.set_title(f"{size} candidates ({pool} pool)")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.xaxis.set_major_formatter("{x:g}")
    return _titled(figure, title, note)


@_styled
def top_k_bars(metrics: pd.DataFrame, title: str = "", note: str = "") -> Figure:
    """Top-k accuracies with exact intervals, model beside baseline and oracles, chance dashed; one panel a direction.

    Parameters
    ----------
    metrics : table ``metrics`` of retrieval, of one split; the single draw of fields and the sampled pool are drawn
    """
    metrics = single_draw(metrics)
    rows = metrics[(metrics["pool"] == "sampled") & metrics["metric"].str.startswith("top-")]
    ks = sorted(rows["metric"].unique(), key=lambda metric: int(metric.removeprefix("top-")))
    methods = [method for method in in_order(rows["method"]) if method != CHANCE]
    colours = dict(zip(methods, sns.color_palette("colorblind"), strict=False))
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axis, (direction, label) in zip(figure.subplots(1, 2, sharey=True), DIRECTIONS.items(), strict=True):
        here = rows[rows["direction"] == direction]
        drawn = here[here["method"].isin(methods)]
        sns.barplot(drawn, x="metric", y="value", order=ks, hue="method", hue_order=methods, palette=colours, ax=axis)
        width = 0.8 / max(len(methods), 1)
        for row in drawn.dropna(subset="low").to_dict("records"):
            x = ks.index(row["metric"]) - 0.4 + width * (methods.index(row["method"]) + 0.5)
            axis.plot([x, x], [row["low"], row["high"]], color="0.2", linewidth=1.5)
        for x, metric in enumerate(ks):
            for chance in here.loc[here["metric"] == metric, "chance"].unique()[:1]:
                axis.hlines(chance, x - 0.45, x + 0.45, color="0.1", linestyle="--", label="" if x else "chance")
        size = int(here["candidates"].max()) if len(here) else 0
        axis.set(xlabel="", ylabel="", ylim=(0, 1.02), title=f"{direction} ({label}), {size} candidates")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.get_legend().remove()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return _titled(figure, title, note)

"""Figure that says how sure an answer is: coverage of candidate sets, and accuracy of the most confident answers."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.style import Look, dodge, styled
from cloome_kedro.words import DIRECTIONS, RETRIEVAL

#: kind of candidate sets -> marker and label
KINDS = {"first k": ("o", "the first k candidates"), "adaptive": ("D", "an adaptive set")}


@styled
def answer_certainty(candidate_sets: pd.DataFrame, answered: pd.DataFrame, look: Look) -> Figure:
    """Draw coverage against the wanted level, and accuracy against the share answered, one column per direction.

    The upper panels are about the first model: measured coverage with its exact interval, and as a grey bar the range
    that is expected if test compounds were exchangeable with validation compounds. The lower panels are about all
    models: top-1 accuracy with the interval of the first model.

    Parameters
    ----------
    candidate_sets, answered
        Tables of these names of one split. Retrieval with one field per compound is drawn.
    look
        Names and colours.
    """
    shown = [
        table[(table["task"] == RETRIEVAL) & (table["shown_by"] == "field")] for table in (candidate_sets, answered)
    ]
    sets, curves = shown[0][(shown[0]["method"] == look.model) & shown[0]["coverage"].notna()], shown[1]
    if sets.empty or curves.empty:
        return look.message("No test compound is measured, so no coverage can be drawn.")
    curves = curves[curves["k"] == curves["k"].min()]
    colours = look.colours(curves["method"])
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    axes = figure.subplots(2, 2, sharey="row")
    for column, (direction, label) in enumerate(DIRECTIONS.items()):
        _coverage_panel(axes[0, column], sets[sets["direction"] == direction], colours[look.model])
        axes[0, column].set_title(label, fontsize=11)
        _accuracy_panel(axes[1, column], curves[curves["direction"] == direction], colours, look)
    axes[0, 0].set_ylabel(f"true candidate listed,\n{look.model}")
    axes[1, 0].set_ylabel(f"top-{curves['k'].min()} accuracy of these queries")
    handles = [
        Line2D([], [], color="0.1", linestyle="none", marker=marker, label=text) for marker, text in KINDS.values()
    ]
    handles.append(Line2D([], [], color="0.75", linewidth=9, label="expected if exchangeable"))
    axes[0, 0].legend(handles=handles, loc="lower right", fontsize=9)
    axes[1, 1].legend(handles=look.legend_entries(look.in_order(colours)), loc="upper right", fontsize=9)
    return look.add_title(figure)


def _coverage_panel(axis: Axes, rows: pd.DataFrame, colour) -> None:
    levels = sorted(rows["level"].unique())
    offsets = dict(zip(KINDS, dodge(len(KINDS), 0.36), strict=True))
    for row in rows.to_dict("records"):
        x = levels.index(row["level"]) + offsets[row["kind"]]
        axis.plot([x, x], [row["expected_low"], row["expected_high"]], color="0.8", linewidth=11, solid_capstyle="butt")
        axis.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2)
        marker = KINDS[row["kind"]][0]
        axis.plot(x, row["coverage"], marker=marker, color=colour, markeredgecolor="white", markersize=8)
    for place, level in enumerate(levels):
        axis.hlines(level, place - 0.42, place + 0.42, color="0.1", linestyle="--", linewidth=1.2)
    axis.set_xticks(range(len(levels)), [f"{100 * level:g} %" for level in levels])
    axis.set(xlabel="wanted coverage (dashed)", xlim=(-0.6, len(levels) - 0.4))
    axis.yaxis.set_major_formatter(PercentFormatter(1))


def _accuracy_panel(axis: Axes, rows: pd.DataFrame, colours, look: Look) -> None:
    for method in reversed(look.in_order(colours)):
        curve = rows[rows["method"] == method].sort_values("share")
        if method == look.model:
            axis.fill_between(
                curve["share"], curve["low"], curve["high"], color=colours[method], alpha=0.15, linewidth=0
            )
        style: dict[str, Any] = (
            {"linewidth": 2.2, "zorder": 4} if method == look.model else {"linewidth": 1.2, "zorder": 3}
        )
        axis.plot(curve["share"], curve["accuracy"], color=colours[method], marker=look.marker(method), **style)
    axis.set(xlabel="share of queries answered, most confident first", xlim=(0, 1.02), ylim=(0, 1.02))
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.yaxis.set_major_formatter(PercentFormatter(1))

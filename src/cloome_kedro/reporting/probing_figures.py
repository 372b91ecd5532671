"""Figures of linear probing: the area under the ROC curve (AUC) of every assay."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cloome_kedro.reporting.style import Look, corruption_label, styled
from cloome_kedro.words import CLEAN, PROFILES, UNTRAINED

#: the publication counts assays with an AUC above these levels
LEVELS = (0.9, 0.8, 0.7)


@styled
def assay_auc(scores: pd.DataFrame, corrupted: pd.DataFrame, look: Look) -> Figure:
    """Draw the AUC of every scored assay: in sorted order, by method, and on corrupted against clean images.

    If the first model has no scored assay, the figure says so.

    Parameters
    ----------
    scores
        Table ``probing_scores`` of one split, clean images.
    corrupted
        Table ``probing_scores`` of one split, corrupted images. It may be empty.
    look
        Names and colours.
    """
    model = look.model
    scored = scores[scores["scored"] & scores["auc"].notna() & (scores["images"] == CLEAN)]
    aucs = scored.pivot_table(index="assay", columns="method", values="auc")
    if model not in aucs:
        return look.message(f"{model} has no scored assay." if len(scored) else "No assay could be scored.")
    aucs = aucs.dropna(subset=model).sort_values(model, ascending=False)
    corrupted = corrupted[corrupted["method"].eq(model) & corrupted["scored"]]
    corruptions = [name for name in corrupted["images"].unique() if name != CLEAN]
    widths = [2.2, 1.3, 1.1] if corruptions else [2.2, 1.3]
    figure = Figure(figsize=(sum(widths) * 3, 4.2), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths, sharey=True)
    _sorted_panel(axes[0], aucs, look)
    _method_panel(axes[1], aucs, look)
    if corruptions:
        corrupted_aucs = corrupted[corrupted["images"] == corruptions[0]].set_index("assay")["auc"]
        _corrupted_panel(axes[2], aucs[model], corrupted_aucs, look.colours([model])[model])
        axes[2].set_xlabel("AUC, clean")
        axes[2].set_title(f"{corruption_label(corruptions[0])} against clean", fontsize=10)
    lowest = float(np.nanmin([*aucs.to_numpy().ravel(), *(corrupted["auc"] if corruptions else [])]))
    axes[0].set_ylim(min(0.4, lowest - 0.03), 1.06)
    return look.add_title(figure)


def _sorted_panel(axis: Axes, aucs: pd.DataFrame, look: Look) -> None:
    model, colours = look.model, look.colours(aucs.columns)
    position = np.arange(1, len(aucs) + 1)
    shown = (*look.models.values(), PROFILES, UNTRAINED)
    for method in reversed([name for name in look.in_order(aucs.columns) if name in shown]):
        style = {"markersize": 6, "zorder": 3} if method == model else {"markersize": 4, "alpha": 0.6}
        axis.plot(position, aucs[method], look.marker(method), color=colours[method], label=method, **style)
    right = 1.18 * len(aucs) + 1  # the counts stand beside the points
    for level in LEVELS:
        axis.axhline(level, color="0.4", linestyle="--", linewidth=0.9)
        count = int((aucs[model] > level).sum())
        axis.text(right, level + 0.006, f"{count} of {len(aucs)}", ha="right", va="bottom", fontsize=9, color="0.25")
    axis.text(right, 1.015, f"{model} above", ha="right", va="bottom", fontsize=9, color="0.25")
    axis.axhline(0.5, color="0.1", linewidth=0.9)
    axis.set(xlim=(0, right + 0.02 * len(aucs)), ylabel="AUC on test compounds")
    axis.set_xlabel(f"assays, in the order of {model}'s AUC")
    axis.legend(loc="lower left", fontsize=8.5)


def _method_panel(axis: Axes, aucs: pd.DataFrame, look: Look) -> None:
    methods = look.in_order(aucs.columns)
    long = aucs[methods].melt(var_name="method", value_name="auc").dropna()
    style = {"order": methods, "hue": "method", "hue_order": methods, "palette": look.colours(methods), "legend": False}
    sns.stripplot(long, x="method", y="auc", size=3, alpha=0.45, jitter=False, ax=axis, **style)
    sns.boxplot(long, x="method", y="auc", showfliers=False, width=0.55, fill=False, linewidth=1.3, ax=axis, **style)
    axis.axhline(0.5, color="0.1", linewidth=0.9)
    axis.set(xlabel="", ylabel="")
    axis.set_xticks(range(len(methods)), methods, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_title("all assays, by method", fontsize=10)


def _corrupted_panel(axis: Axes, clean: pd.Series, corrupted: pd.Series, colour: Any) -> None:
    both = pd.concat({"clean": clean, "corrupted": corrupted}, axis=1).dropna()
    axis.plot([0, 1], [0, 1], color="0.4", linewidth=0.9)
    axis.plot(both["clean"], both["corrupted"], "o", color=colour, markersize=5, alpha=0.7)
    axis.set(xlim=(min(0.4, clean.min() - 0.03), 1.03), ylabel="AUC, corrupted")
    axis.tick_params(labelleft=True)

"""Figures of linear probing: the area under the ROC curve of every assay."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cloome_kedro.reporting.style import (
    CLEAN,
    MODEL,
    colours,
    corruption_label,
    in_order,
    marker,
    message,
    styled,
    titled,
)

LEVELS = (0.9, 0.8, 0.7)  # those that the publication counts assays above


@styled
def assay_auc(scores: pd.DataFrame, corrupted: pd.DataFrame, title: str = "", note: str = "") -> Figure:
    """AUC of every scored assay: sorted by the model's, by method, and on corrupted against clean images.

    Parameters
    ----------
    scores : table ``probing_scores`` of one split, clean images
    corrupted : table ``probing_scores`` of corrupted images; may be empty
    title, note : small text above, e.g. the split, and that the data are simulated

    Returns
    -------
    Figure; one that says so where the model has no scored assay.
    """
    scored = scores[scores["scored"] & scores["auc"].notna() & (scores["images"] == CLEAN)]
    table = scored.pivot_table(index="assay", columns="method", values="auc")
    if MODEL not in table:
        return message("No assay could be scored.", title, note)
    table = table.dropna(subset=MODEL).sort_values(MODEL, ascending=False)
    changed = corrupted[corrupted["method"].eq(MODEL) & corrupted["scored"]]
    others = [name for name in changed["images"].unique() if name != CLEAN]
    widths = [2.2, 1.3, 1.1] if others else [2.2, 1.3]
    figure = Figure(figsize=(sum(widths) * 3, 4.2), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths, sharey=True)
    _sorted_panel(axes[0], table)
    _method_panel(axes[1], table)
    if others:
        _corrupted_panel(axes[2], table[MODEL], changed[changed["images"] == others[0]].set_index("assay")["auc"])
        axes[2].set_xlabel("AUC, clean")
        axes[2].set_title(f"{corruption_label(others[0])} against clean", fontsize=10)
    lowest = float(np.nanmin([*table.to_numpy().ravel(), *(changed["auc"] if others else [])]))
    axes[0].set_ylim(min(0.4, lowest - 0.03), 1.06)
    return titled(figure, title, note)


def _sorted_panel(axis: Axes, table: pd.DataFrame) -> None:
    taken = colours(table.columns)
    place = np.arange(1, len(table) + 1)
    for method in reversed([name for name in in_order(table.columns) if name in (MODEL, "Profiles", "Untrained")]):
        style = {"markersize": 6, "zorder": 3} if method == MODEL else {"markersize": 4, "alpha": 0.6}
        axis.plot(place, table[method], marker(method), color=taken[method], label=method, **style)
    right = 1.18 * len(table) + 1  # beside the points
    for level in LEVELS:
        axis.axhline(level, color="0.4", linestyle="--", linewidth=0.9)
        count = int((table[MODEL] > level).sum())
        axis.text(right, level + 0.006, f"{count} of {len(table)}", ha="right", va="bottom", fontsize=9, color="0.25")
    axis.text(right, 1.015, f"{MODEL} above", ha="right", va="bottom", fontsize=9, color="0.25")
    axis.axhline(0.5, color="0.1", linewidth=0.9)
    axis.set(xlim=(0, right + 0.02 * len(table)), ylabel="AUC on test compounds")
    axis.set_xlabel(f"assays, in the order of {MODEL}'s AUC")
    axis.legend(loc="lower left", fontsize=8.5)


def _method_panel(axis: Axes, table: pd.DataFrame) -> None:
    methods = in_order(table.columns)
    long = table[methods].melt(var_name="method", value_name="auc").dropna()
    style = {"order": methods, "hue": "method", "hue_order": methods, "palette": colours(methods), "legend": False}
    sns.stripplot(long, x="method", y="auc", size=3, alpha=0.45, jitter=False, ax=axis, **style)
    sns.boxplot(long, x="method", y="auc", showfliers=False, width=0.55, fill=False, linewidth=1.3, ax=axis, **style)
    axis.axhline(0.5, color="0.1", linewidth=0.9)
    axis.set(xlabel="", ylabel="")
    axis.set_xticks(range(len(methods)), methods, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_title("all assays, by method", fontsize=10)


def _corrupted_panel(axis: Axes, clean: pd.Series, changed: pd.Series) -> None:
    both = pd.concat({"clean": clean, "changed": changed}, axis=1).dropna()
    axis.plot([0, 1], [0, 1], color="0.4", linewidth=0.9)
    axis.plot(both["clean"], both["changed"], "o", color=colours([MODEL])[MODEL], markersize=5, alpha=0.7)
    ends = (min(0.4, clean.min() - 0.03), 1.03)
    axis.set(xlim=ends, ylabel="AUC, corrupted")
    axis.tick_params(labelleft=True)

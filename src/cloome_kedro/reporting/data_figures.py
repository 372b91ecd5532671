"""Figures of compounds, labels, replicates and fields, for the data report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cloome_kedro.reporting.montage import composite
from cloome_kedro.reporting.style import Look, log_ticks, one_line, plain_text, styled

_MOST_BARS = 20
_MOST_CELLS = 240  # rows and columns of the matrix of labels; more are averaged in blocks


@styled
def compound_figure(wells_per_compound: pd.Series, scaffolds: pd.Series, mechanisms: pd.Series, look: Look) -> Figure:
    """Draw how many wells compounds have, how many compounds scaffolds have, and the most frequent mechanisms.

    Parameters
    ----------
    wells_per_compound
        Number of wells of each compound.
    scaffolds, mechanisms
        Number of compounds of each scaffold and of each mechanism, by name.
    look
        Title and note.
    """
    colour = sns.color_palette("colorblind")[0]
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    replicates, of_scaffolds, of_mechanisms = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
    counts = wells_per_compound.value_counts().sort_index()
    if len(counts) > 30:
        replicates.hist(wells_per_compound, bins=30, color=colour)
    else:
        replicates.bar([str(count) for count in counts.index], counts, color=colour)
        replicates.tick_params(axis="x", rotation=0 if len(counts) < 12 else 60)
    replicates.set(xlabel="wells of a compound", ylabel="compounds")
    replicates.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if len(scaffolds):
        sizes = scaffolds.value_counts().sort_index()
        of_scaffolds.plot(sizes.index, sizes, "o", color=colour, markersize=5)
        limits = {"xlim": (0.8, 1.3 * sizes.index.max()), "ylim": (0.8, 1.4 * sizes.max())}
        of_scaffolds.set(xscale="log", yscale="log", **limits, xlabel="compounds of a scaffold", ylabel="scaffolds")
        log_ticks(of_scaffolds.xaxis, 1, max(2, int(sizes.index.max())))
        log_ticks(of_scaffolds.yaxis, 1, max(2, int(sizes.max())))
    if len(mechanisms):
        most = mechanisms.sort_values(ascending=False, kind="stable")[:_MOST_BARS][::-1]
        of_mechanisms.barh(np.arange(len(most)), most, color=colour)
        of_mechanisms.set_yticks(np.arange(len(most)), [one_line(name, 30) for name in most.index], fontsize=8)
        of_mechanisms.set_xlabel("compounds of a mechanism")
        of_mechanisms.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        of_mechanisms.grid(False, axis="y")
    else:
        of_mechanisms.set_axis_off()
        of_mechanisms.text(0, 0.5, "No mechanism is named.", color="0.35", transform=of_mechanisms.transAxes)
    return look.add_title(figure)


@styled
def label_figure(labels: pd.DataFrame, look: Look) -> Figure:
    """Draw which compounds have a label in which assays, and how many labels of each assay are active.

    Parameters
    ----------
    labels
        Table of this name: ``inchikey``, and one column per assay with 1, 0 or missing.
    look
        Title and note.
    """
    values = labels.drop(columns="inchikey")
    if values.empty or not values.notna().any(axis=None):
        return look.message("There are no labels of assays.")
    known = values.notna().to_numpy()
    order = np.argsort(-known.sum(axis=0), kind="stable")
    matrix = _blocks(known[np.argsort(-known.sum(axis=1), kind="stable")][:, order].astype(float))
    figure = Figure(figsize=(12, 4), layout="constrained")
    density, active = figure.subplots(1, 2, width_ratios=[1.3, 1])
    mesh = density.pcolormesh(matrix.T, cmap="viridis", vmin=0, vmax=1, rasterized=True)
    density.set(xlabel=f"{len(values):,} compounds", ylabel=f"{values.shape[1]:,} assays", xticks=[], yticks=[])
    density.grid(False)
    bar = figure.colorbar(mesh, ax=density, pad=0.02)
    bar.set_label("share with a label")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    numbers, shares = known.sum(axis=0), values.mean(axis=0)
    colour = sns.color_palette("colorblind")[0]
    active.plot(numbers, shares, "o", color=colour, markersize=5, alpha=0.7, markeredgecolor="white")
    active.set(xlabel="labels of an assay", ylabel="active", ylim=(-0.03, 1.03))
    active.yaxis.set_major_formatter(PercentFormatter(1))
    return look.add_title(figure)


def _blocks(matrix: np.ndarray) -> np.ndarray:
    """Average neighbouring rows and columns, so that there are not too many."""
    for axis in (0, 1):
        size = matrix.shape[axis]
        if size > _MOST_CELLS:
            starts = np.linspace(0, size, _MOST_CELLS, endpoint=False).astype(int)
            lengths = np.diff([*starts, size])
            matrix = np.add.reduceat(matrix, starts, axis=axis)
            matrix = matrix / (lengths[:, None] if axis == 0 else lengths)
    return matrix


@styled
def precision_figure(groups: pd.DataFrame, look: Look) -> Figure:
    """Draw the mean average precision of compounds (replicates) and of mechanisms, one colour per method.

    Left: share of compounds with at least this mean average precision. Right: mechanisms with the highest values of the
    first method; filled marks are significant. The dashed lines are chance.

    Parameters
    ----------
    groups
        Table ``average_precision_groups``.
    look
        Names and colours.
    """
    if groups.empty:
        return look.message("No mean average precision was measured.")
    methods = list(groups["method"].unique())
    colours = look.colours(methods)
    figure = Figure(figsize=(12, 5), layout="constrained")
    replicates, mechanisms = figure.subplots(1, 2, width_ratios=[1, 1.15])
    of_replicates = groups[groups["matches"] == "replicates"]
    for method in methods:
        values = np.sort(of_replicates.loc[of_replicates["method"] == method, "value"].to_numpy())
        if len(values):
            x, shares = [0, *values, 1], [1, *(1 - np.arange(len(values)) / len(values)), 0]
            replicates.step(x, shares, where="pre", color=colours[method], linewidth=2, label=one_line(method, 30))
            chance = of_replicates.loc[of_replicates["method"] == method, "chance"].mean()
            replicates.axvline(chance, color=colours[method], linestyle="--", linewidth=1)
    replicates.set(xlabel="mean average precision of replicates", ylabel="compounds with at least this", xlim=(0, 1.01))
    replicates.yaxis.set_major_formatter(PercentFormatter(1))
    if replicates.get_legend_handles_labels()[0]:
        replicates.legend(loc="lower left", fontsize=9)
    of_mechanisms = groups[groups["matches"] == "mechanisms"]
    first = of_mechanisms[of_mechanisms["method"] == (methods[0])]
    first = first if len(first) else of_mechanisms
    order = list(first.groupby("group")["value"].max().nlargest(_MOST_BARS).index[::-1])
    place = {name: number for number, name in enumerate(order)}
    shown = of_mechanisms[of_mechanisms["group"].isin(order)]
    mechanisms.plot(shown["chance"], shown["group"].map(place), "|", color="0.1", markersize=9, label="chance")
    for row in shown.to_dict("records"):
        colour, significant = colours[row["method"]], row["corrected_p_value"] < 0.05
        style: dict[str, Any] = {"markerfacecolor": colour if significant else "white", "markeredgecolor": colour}
        mechanisms.plot(row["value"], place[row["group"]], look.marker(row["method"]), markersize=6, **style)
    mechanisms.set_yticks(range(len(order)), [one_line(name, 32) for name in order], fontsize=8)
    mechanisms.set(xlabel="mean average precision of mechanisms", xlim=(0, 1.01))
    if not order:
        mechanisms.set_axis_off()
        reason = "No mechanism has two compounds with measurements."
        mechanisms.text(0, 0.5, reason, color="0.35", transform=mechanisms.transAxes)
    return look.add_title(figure)


@styled
def example_fields(pictures: Mapping[str, np.ndarray], labels: Mapping[str, Sequence[str]], look: Look) -> Figure:
    """Draw composites of fields, one row per plate. All fields have the same contrast.

    Parameters
    ----------
    pictures
        Plate -> uint8 (N, 5, H, W), N may differ from plate to plate.
    labels
        Plate -> N labels.
    look
        Title and note.
    """
    if not any(len(fields) for fields in pictures.values()):
        return look.message("No field was stored.")
    every = composite(np.concatenate([fields for fields in pictures.values() if len(fields)]))
    columns = max(map(len, pictures.values()))
    height = 2.5 * every.shape[1] / every.shape[2] + 0.22
    figure = Figure(figsize=(2.5 * columns + 0.1, height * len(pictures) + 0.5))
    axes = figure.subplots(len(pictures), columns, squeeze=False)
    start = 0
    for row, (plate, fields) in zip(axes, pictures.items(), strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, picture, label in zip(row, every[start : start + len(fields)], labels[plate], strict=False):
            axis.imshow(picture)
            axis.set_title(label, fontsize=8, loc="left", pad=2)
        start += len(fields)
    total = figure.get_figheight()
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.55 / total, wspace=0.03, hspace=0.22 / (height - 0.22))
    return look.add_title(figure)


@plain_text
def rejected_figure(pictures: Sequence[np.ndarray], labels: Sequence[str], look: Look) -> Figure:
    """Draw pictures of rejected fields with the reason. Each picture has its own contrast.

    Parameters
    ----------
    pictures
        uint8 (5, H, W) each. Channels that cannot be read are black.
    labels
        Text below each picture.
    look
        Title and note.
    """
    if not len(pictures):
        return look.message("No rejected field has an image that can be read.")
    columns = min(6, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(2.1 * columns, 2.75 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    limits = np.tile([0, 255], (5, 1))
    for axis, picture, label in zip(axes, pictures, labels, strict=False):
        axis.imshow(composite(picture[None], limits)[0])
        axis.set_xlabel(label, fontsize=7, labelpad=2)
        axis.set(xticks=[], yticks=[])
    for axis in axes[len(pictures) :]:
        axis.set_axis_off()
    return look.add_title(figure)

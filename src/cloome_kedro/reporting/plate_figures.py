"""Figures of plates: heat maps, effects of positions, and control wells over plates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cloome_kedro.evaluation.plate_quality import FEWEST_PLATES
from cloome_kedro.imaging.well_quality import plate_shape
from cloome_kedro.reporting.style import Look, one_line, styled

#: what is shown of wells: column of the table ``well_quality`` -> label
STATISTICS = {
    "cells": "cell count",
    "focus": "focus",
    "saturated": "saturated share",
    "mean_Mito": "intensity, Mito",
    "mean_ER": "intensity, ER",
    "mean_RNA": "intensity, RNA",
    "mean_AGP": "intensity, AGP",
    "mean_DNA": "intensity, DNA",
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STATISTICS_ACROSS = 3  # heat maps of a single plate beside each other
_MOST_PLATES = 60  # rows of a heat map of plates

#: colour maps for values and for deviations, which colour-blind readers can use
_VALUES, _DEVIATIONS = "viridis", "RdBu_r"


def shown_statistics(wells: pd.DataFrame) -> list[str]:
    """Select the statistics that were measured."""
    return [name for name in STATISTICS if name in wells and wells[name].notna().any()]


def row_name(row: int) -> str:
    """Name of a row of a plate.

    >>> row_name(1), row_name(27)
    ('A', 'AA')
    """
    high, low = divmod(row - 1, 26)
    return (_LETTERS[high - 1] if high else "") + _LETTERS[low]


@styled
def plate_maps(wells: pd.DataFrame, plates: Mapping[str, str], look: Look) -> Figure:
    """Draw heat maps of the mean over all plates and of some plates: one row per statistic, one column per plate.

    A single plate has its statistics beside each other, each with a scale. Plates of a row share a colour scale, from
    the 1st to the 99th percentile of all wells. The mean over plates has its own scale. White dots mark control wells.

    Parameters
    ----------
    wells
        Table ``well_quality``.
    plates
        Plates that are drawn -> what is unusual about each, or empty.
    look
        Title and note.
    """
    names = shown_statistics(wells)
    if not names:
        return look.message("Nothing was measured in the wells, so no plate can be drawn.")
    shape = plate_shape(wells["row"].max(), wells["column"].max())
    several = wells["plate"].nunique() > 1
    columns: list[tuple[str, pd.DataFrame]] = []
    if several:
        mean = wells.groupby(["row", "column"])[names].mean().reset_index()
        columns.append((f"mean of {wells['plate'].nunique():,} plates", mean.assign(control=False)))
    for plate, text in plates.items():
        columns.append((f"{one_line(plate, 20)}\n{one_line(text, 30)}".strip(), wells[wells["plate"] == plate]))
    several_columns = len(columns) > 1
    across = len(columns) if several_columns else _STATISTICS_ACROSS
    panels = [(name, number) for name in names for number in range(len(columns))]
    width, height = 2.9, 2.9 * shape[0] / shape[1] + 0.32
    down = -(-len(panels) // across)
    figure = Figure(figsize=(width * across + 1.2, height * down + 1.1), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, (name, number) in zip(axes, panels, strict=False):
        title, part = columns[number]
        of_mean = several and number == 0
        scale = Normalize(*_limits(part[name] if of_mean else wells[name]))
        mesh = _map(axis, part, name, shape, scale)
        if of_mean or number == len(columns) - 1:
            bar = figure.colorbar(mesh, ax=axis, aspect=12, pad=0.02)
            bar.ax.tick_params(labelsize=7)
        if not several_columns:
            axis.set_title(STATISTICS[name], fontsize=9)
        elif name == names[0]:
            axis.set_title(title, fontsize=9)
        if several_columns and number == 0:
            axis.set_ylabel(STATISTICS[name], fontsize=9)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return look.add_title(figure, "" if several_columns else columns[0][0])


def _limits(values: pd.Series) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if finite.empty:
        return 0.0, 1.0
    low, high = np.percentile(finite, [1, 99])
    return (float(low), float(high)) if high > low else (float(finite.min()), float(finite.max()))


def _map(axis: Axes, wells: pd.DataFrame, name: str, shape: tuple[int, int], scale: Normalize) -> Any:
    grid = np.full(shape, np.nan)
    grid[wells["row"] - 1, wells["column"] - 1] = wells[name]
    axis.set_facecolor("0.92")
    # Rasterised, because an SVG of thousands of rectangles is large.
    mesh = axis.pcolormesh(grid, norm=scale, cmap=_VALUES, rasterized=True)
    controls = wells[wells["control"]]
    if len(controls):
        axis.plot(controls["column"] - 0.5, controls["row"] - 0.5, ".", color="white", markersize=2.5)
    axis.set(aspect="equal", ylim=(shape[0], 0), xlim=(0, shape[1]))
    axis.grid(False)
    rows = np.arange(0, shape[0], max(1, shape[0] // 4))
    columns = np.arange(0, shape[1], max(1, shape[1] // 4))
    axis.set_yticks(rows + 0.5, [row_name(int(row) + 1) for row in rows], fontsize=7)
    axis.set_xticks(columns + 0.5, [str(column + 1) for column in columns], fontsize=7)
    axis.tick_params(length=0, pad=1)
    return mesh


@styled
def plate_summary(deviations: pd.DataFrame, look: Look) -> Figure:
    """Draw the deviation of the median well of each plate from the median plate, as `plate_deviations` gives it.

    Parameters
    ----------
    deviations
        Index: plate. One column per statistic. Of more than 60 plates, the most unusual ones are drawn.
    look
        Title and note.
    """
    deviations = deviations.dropna(axis="columns", how="all")
    if len(deviations) < 2 or deviations.empty:
        return look.message("Plates are compared when there are at least two with measurements.")
    total = len(deviations)
    if total > _MOST_PLATES:
        unusual = deviations.abs().max(axis=1).nlargest(_MOST_PLATES).index
        deviations = deviations.loc[sorted(unusual)]
    figure = Figure(figsize=(8.4, max(2.4, 1.6 + 0.22 * len(deviations))), layout="constrained")
    axis = figure.subplots()
    unit = f"{'robust ' if total >= FEWEST_PLATES else ''}standard deviations"
    _deviation_map(axis, deviations, [STATISTICS[str(name)] for name in deviations], unit, 5)
    axis.set_yticks(np.arange(len(deviations)) + 0.5, [one_line(plate, 30) for plate in deviations.index], fontsize=8)
    if total > _MOST_PLATES:
        axis.set_title(f"the {_MOST_PLATES} most unusual of {total:,} plates", fontsize=10)
    return look.add_title(figure)


def _deviation_map(axis: Axes, table: pd.DataFrame, columns: Sequence[str], unit: str, limit: float) -> None:
    mesh = axis.pcolormesh(
        table.to_numpy(float), cmap=_DEVIATIONS, norm=Normalize(-limit, limit), edgecolor="white", linewidth=0.5
    )
    axis.set_facecolor("0.85")
    axis.set_ylim(len(table), 0)
    axis.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=40, ha="right", fontsize=8)
    axis.grid(False)
    axis.tick_params(length=0)
    bar = axis.figure.colorbar(mesh, ax=axis, extend="both", shrink=0.9, pad=0.02)
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=8)


@styled
def position_figure(means: pd.DataFrame, look: Look) -> Figure:
    """Draw the mean of each row and of each column of the plates, as deviations from the mean of the plate.

    Parameters
    ----------
    means
        ``statistic``, ``axis``, ``position``, ``value``, ``low`` and ``high`` in standard deviations of wells.
    look
        Title and note.
    """
    names = [name for name in STATISTICS if (means["statistic"] == name).any()]
    if not names:
        return look.message("Nothing varies within plates, so there are no effects of positions.")
    figure = Figure(figsize=(12, 1.5 * -(-len(names) // 2) + 1.2), layout="constrained")
    grid = figure.subplots(-(-len(names) // 2), 4, squeeze=False, sharey="row")
    colour = sns.color_palette("colorblind")[0]
    for number, name in enumerate(names):
        for offset, direction in enumerate(("row", "column")):
            axis = grid[number // 2, 2 * (number % 2) + offset]
            part = means[(means["statistic"] == name) & (means["axis"] == direction)].sort_values("position")
            axis.fill_between(part["position"], part["low"], part["high"], color=colour, alpha=0.25, linewidth=0)
            axis.vlines(part["position"], part["low"], part["high"], color=colour, linewidth=0.8)
            axis.plot(part["position"], part["value"], color=colour, marker=".", markersize=5, linewidth=1.2)
            axis.axhline(0, color="0.3", linewidth=0.8)
            axis.set_title(STATISTICS[name] if not offset else "", fontsize=9, loc="left")
            axis.tick_params(labelsize=8)
            axis.set_xlabel(direction, fontsize=8, labelpad=1)
            axis.set_xlim(part["position"].min() - 0.5, part["position"].max() + 0.5)  # there is no column 0
            if direction == "row":
                places = part["position"].to_numpy()[:: max(1, len(part) // 8)]
                axis.set_xticks(places, [row_name(int(place)) for place in places])
            else:
                axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    for axis in grid.ravel()[2 * len(names) :]:
        axis.set_axis_off()
    figure.supylabel("standard deviations of wells within plates", fontsize=9)
    return look.add_title(figure)


@styled
def controls_over_plates(wells: pd.DataFrame, plate_statistics: pd.DataFrame, look: Look) -> Figure:
    """Draw the control wells of each plate: quartiles and 5th to 95th percentile, one panel per statistic.

    Parameters
    ----------
    wells
        Table ``well_quality``.
    plate_statistics
        Table of this name, with the column ``plate``. It may be empty. Its robust means are drawn as diamonds. They
        are hollow where a plate has too few control wells, and the mean is that of all its wells.
    look
        Title and note.
    """
    controls = wells[wells["control"]]
    names = shown_statistics(controls)
    if not names:
        return look.message("There are no control wells with measurements.")
    plates = sorted(wells["plate"].unique())
    place = {plate: number for number, plate in enumerate(plates)}
    columns = 2
    figure = Figure(figsize=(12, 1.7 * -(-len(names) // columns) + 1.6), layout="constrained")
    axes = figure.subplots(-(-len(names) // columns), columns, squeeze=False, sharex=True)
    colour = sns.color_palette("colorblind")[0]
    thin = max(0.6, min(6, 220 / len(plates)))
    for axis, name in zip(axes.ravel(), names, strict=False):
        parts = controls.groupby("plate")[name].quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
        x = [place[plate] for plate in parts.index]
        axis.vlines(x, parts[0.05], parts[0.95], color=colour, linewidth=thin / 4)
        axis.vlines(x, parts[0.25], parts[0.75], color=colour, linewidth=thin)
        axis.plot(x, parts[0.5], "o", color="white", markeredgecolor=colour, markersize=max(1.5, thin * 0.7))
        _robust_means(axis, plate_statistics, name.removeprefix("mean_"), place)
        axis.set_title(STATISTICS[name], fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
        axis.set_xlim(-0.5, len(plates) - 0.5)
    for axis in axes.ravel()[len(names) :]:
        axis.set_axis_off()
    step = max(1, len(plates) // 16)
    for number in range(columns):
        shown = axes[min(len(axes) - 1, (len(names) - 1 - number) // columns), number]
        labels = [one_line(plate, 14) for plate in plates[::step]]
        shown.set_xticks(range(0, len(plates), step), labels, rotation=50, ha="right", fontsize=7)
        shown.tick_params(labelbottom=True)
    return look.add_title(figure)


def _robust_means(axis: Axes, statistics: pd.DataFrame, channel: str, place: Mapping[str, int]) -> None:
    rows = statistics[statistics["channel"] == channel]
    for basis, face in (("controls", "0.15"), ("all wells", "none")):
        part = rows[rows["basis"] == basis]
        x = [place[plate] + (0.28 if len(place) > 8 else 0.06) for plate in part["plate"]]
        axis.plot(x, part["mean"], "D", markersize=3.2, markerfacecolor=face, markeredgecolor="0.15", zorder=4)

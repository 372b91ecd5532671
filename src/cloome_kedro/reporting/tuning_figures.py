"""Figures of a hyperparameter search: value of every trial, learning curves, effect of each parameter."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cloome_kedro.reporting.style import Look, log_ticks, styled
from cloome_kedro.reporting.tuning_metric import SearchMetric
from cloome_kedro.reporting.tuning_tables import (
    default_trial,
    searched_parameters,
    short_name,
    value_text,
    winner_trial,
)

_MAX_CURVES = 200  # more curves are drawn as pixels, so that an SVG stays small
_COLUMNS = 4  # of panels
_MAX_CATEGORIES = 4  # numbers with more distinct values have a numeric axis


@styled
def search_history(trials: pd.DataFrame, epochs: pd.DataFrame, look: Look) -> Figure:
    """Draw the value of every trial with the best value so far, and the learning curves.

    The curve of a pruned trial ends with a cross.

    Parameters
    ----------
    trials, epochs
        Tables ``trials`` and ``trial_epochs``.
    look
        Title and note.
    """
    if not trials["state"].isin(["COMPLETE", "PRUNED"]).any():
        return look.message("No trial has ended with a value yet.")
    metric = SearchMetric.named(trials["metric"].iloc[0])
    figure = Figure(figsize=(12, 4), layout="constrained")
    course, curves = figure.subplots(1, 2, sharey=True)
    _draw_course(course, trials)
    _draw_curves(curves, trials, epochs)
    for axis in (course, curves):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if metric.percent:
            axis.yaxis.set_major_formatter(PercentFormatter(1))
    course.set(xlabel="trial", ylabel="validation value")
    curves.set(xlabel="epoch", ylabel="")
    figure.legend(*course.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.add_title(figure, f"validation {metric.label}")


def _draw_course(axis: Axes, trials: pd.DataFrame) -> None:
    colours = _colours()
    complete = trials[trials["state"] == "COMPLETE"].sort_values("number")
    failed = trials[trials["state"] == "FAIL"]
    default = default_trial(trials)
    if default is not None and default["state"] == "COMPLETE":
        axis.axhline(default["value"], color=colours["default"], linestyle="--", linewidth=1, zorder=1)
    if len(complete):
        best = complete["value"].cummax()
        axis.step(
            [*complete["number"], trials["number"].max()],
            [*best, best.iloc[-1]],
            where="post",
            color="0.35",
            linewidth=1.2,
            label="best so far",
            zorder=2,
        )
    _draw_points(axis, trials, "number")
    if len(failed):
        axis.plot(
            failed["number"],
            np.zeros(len(failed)),
            "|",
            transform=axis.get_xaxis_transform(),
            clip_on=False,
            color=colours["failed"],
            markersize=12,
            markeredgewidth=2.5,
            label="failed",
        )


def _draw_points(axis: Axes, trials: pd.DataFrame, x: str) -> None:
    """Draw trials as marks. Published, default and winning trials lie on top of the others."""
    colours = _colours()
    size, alpha = (5, 1) if len(trials) <= _MAX_CURVES else (2.5, 0.4)
    for state, label, fill in (("COMPLETE", "complete", "full"), ("PRUNED", "pruned", "none")):
        rows = trials[trials["state"] == state]
        if len(rows):
            style = {"color": colours["trial"], "fillstyle": fill, "markersize": size, "alpha": alpha}
            axis.plot(rows[x], rows["value"], "o", label=label, zorder=3, **style)
    published = trials[(trials["source"] == "published") & (trials["state"] == "COMPLETE")]
    if len(published):
        axis.plot(published[x], published["value"], "s", color=colours["published"], label="published", zorder=4)
    for name, trial, marker in (("default", default_trial(trials), "D"), ("winner", winner_trial(trials), "*")):
        if trial is not None and pd.notna(trial["value"]):
            style = {"color": colours[name], "markersize": 15 if marker == "*" else 8, "markeredgecolor": "white"}
            axis.plot(trial[x], trial["value"], marker, label=name, zorder=5, **style)


def _draw_curves(axis: Axes, trials: pd.DataFrame, epochs: pd.DataFrame) -> None:
    colours = _colours()
    ended = trials[trials["state"].isin(["COMPLETE", "PRUNED"])]
    epochs = epochs.dropna()
    curves = {
        trial: group.sort_values("epoch")[["epoch", "value"]].to_numpy(float)
        for trial, group in epochs[epochs["trial"].isin(ended["number"])].groupby("trial")
    }
    axis.add_collection(
        LineCollection(
            list(curves.values()),
            colors="0.6",
            linewidths=0.9,
            alpha=0.1 if len(curves) > _MAX_CURVES else 0.7,
            rasterized=len(curves) > _MAX_CURVES,
            zorder=1,
        )
    )
    pruned = set(ended.loc[ended["state"] == "PRUNED", "number"])
    for ends, marker, size in (
        ([curve[-1] for trial, curve in curves.items() if trial in pruned], "x", 6),
        ([curve[-1] for trial, curve in curves.items() if trial not in pruned], ".", 4),
    ):
        if ends:
            axis.plot(*np.transpose(ends), marker, color="0.45", markersize=size, zorder=2)
    for name, trial in (("default", default_trial(trials)), ("winner", winner_trial(trials))):
        if trial is not None and trial["number"] in curves:
            curve = curves[trial["number"]]
            axis.plot(*curve.T, "o-", color=colours[name], linewidth=2.2, markersize=4, zorder=3)
    axis.autoscale_view()


def _colours() -> dict:
    palette = sns.color_palette("colorblind", 10)
    indices = {"trial": 0, "default": 1, "winner": 2, "failed": 3, "published": 4}
    return {name: palette[index] for name, index in indices.items()}


@styled
def importance_figure(importances: pd.DataFrame, look: Look) -> Figure:
    """Draw the share of the variance of values that each parameter explains, as bars.

    Parameters
    ----------
    importances
        Table of this name. It may be empty.
    look
        Title and note.
    """
    if importances.empty:
        return look.message("No importances: there are too few complete trials, or all have the same value.")
    rows = importances.sort_values("importance", ascending=False)
    figure = Figure(figsize=(12, 1.3 + 0.32 * len(rows)), layout="constrained")
    axis = figure.subplots()
    n_trials = rows["trials"].max()
    labels = [
        short_name(parameter) + ("" if trials == n_trials else f" ({trials:,} trials)")
        for parameter, trials in zip(rows["parameter"], rows["trials"], strict=True)
    ]
    sns.barplot(x=rows["importance"].to_numpy(), y=labels, color=_colours()["trial"], ax=axis)
    axis.set(xlim=(0, 1), ylabel="", xlabel=f"importance (fANOVA, {n_trials:,} complete trials)")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    return look.add_title(figure)


@styled
def parameter_slices(trials: pd.DataFrame, look: Look) -> Figure:
    """Draw the value of every trial against each searched parameter that has at least two values.

    Text and few distinct numbers are categories. Numbers with a range of at least a factor of ten have a logarithmic
    axis. A panel does not show trials that do not have its parameter.

    Parameters
    ----------
    trials
        Table of this name.
    look
        Title and note.
    """
    ended = trials[trials["state"].isin(["COMPLETE", "PRUNED"]) & trials["value"].notna()]
    names = [name for name in searched_parameters(ended) if ended[name].nunique() > 1]
    if not names:
        return look.message("No parameter has taken two values yet.")
    metric = SearchMetric.named(trials["metric"].iloc[0])
    n_rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(12, 0.6 + 2.6 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        _draw_slice(axis, ended.dropna(subset=name), name)
        axis.set_xlabel(short_name(name))
        if metric.percent:
            axis.yaxis.set_major_formatter(PercentFormatter(1))
    for axis in axes[len(names) :]:
        axis.remove()
    figure.legend(*_joint_legend(axes[: len(names)]), loc="outside right center", frameon=False)
    for axis in axes[: len(names) : _COLUMNS]:
        axis.set_ylabel("validation value")
    return look.add_title(figure, f"validation {metric.label}")


def _draw_slice(axis: Axes, rows: pd.DataFrame, name: str) -> None:
    values = rows[name]
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric and (values.nunique() > _MAX_CATEGORIES or values.is_unique):
        rows = rows.assign(x=values.astype(float))
        if rows["x"].min() > 0 and rows["x"].max() / rows["x"].min() >= 10:
            axis.set_xscale("log")
            log_ticks(axis.xaxis, rows["x"].min(), rows["x"].max())
        elif pd.api.types.is_integer_dtype(values):
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        distinct = sorted(values.unique())
        jitter = np.random.default_rng(0).uniform(-0.2, 0.2, len(rows))
        rows = rows.assign(x=values.map(distinct.index).astype(float) + jitter)
        axis.set_xticks(range(len(distinct)), [value_text(value) for value in distinct])
        axis.set_xlim(-0.5, len(distinct) - 0.5)
    _draw_points(axis, rows, "x")


def _joint_legend(axes: np.ndarray) -> tuple[list, list[str]]:
    """Collect each label of the panels once. A panel does not have all labels."""
    handles: dict = {}
    for axis in axes:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    return list(handles.values()), list(handles)

"""Figure and table of the correction of illumination, for the data report."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.illumination.plate import ESTIMATED, PROVIDED, TOO_FEW
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.style import Look, styled
from cloome_kedro.words import counted

_TIMES = ("before", "after")


@styled
def illumination_figure(evenness: pd.DataFrame, images: np.ndarray | None, look: Look) -> Figure:
    """Draw the mean image of each channel before and after the correction, and how bright corners are.

    Parameters
    ----------
    evenness
        Table ``illumination_evenness``.
    images
        (2, 5, H, W): mean over plates before and after, each divided by its mean. None: no plate was corrected.
    look
        Title and note.
    """
    if evenness.empty or images is None:
        return look.message("The illumination is not corrected.")
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    axes = figure.subplots(3, len(CHANNELS), height_ratios=[1, 1, 0.8], squeeze=False)
    largest = max(0.05, float(np.abs(images - 1).max()))
    scale = TwoSlopeNorm(1, 1 - largest, 1 + largest)
    for row, time, of_time in zip(axes, _TIMES, images, strict=False):
        for axis, channel, image in zip(row, CHANNELS, of_time, strict=True):
            mesh = axis.pcolormesh(image[::-1], norm=scale, cmap="PuOr_r", rasterized=True)
            axis.set(aspect="equal", xticks=[], yticks=[])
            axis.grid(False)
            if time == "before":
                axis.set_title(channel, fontsize=11)
        row[0].set_ylabel(f"mean image {time}")
    figure.colorbar(mesh, ax=axes[:2, -1], aspect=25, pad=0.05).set_label("relative to its mean")
    colour = sns.color_palette("colorblind")[0]
    for axis, channel in zip(axes[2], CHANNELS, strict=True):
        rows = evenness[evenness["channel"] == channel]
        ratios = rows[[f"corners_{time}" for time in _TIMES]].to_numpy(float).T
        axis.axhline(1, color="0.3", linewidth=1, linestyle="--")
        axis.plot([0, 1], ratios, "-", color=colour, alpha=0.35, linewidth=1)
        axis.plot([0] * len(rows), ratios[0], "o", color=colour, markerfacecolor="white", markersize=5)
        axis.plot([1] * len(rows), ratios[1], "o", color=colour, markersize=5)
        axis.set(xlim=(-0.4, 1.4), xticks=[0, 1], xticklabels=_TIMES)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.tick_params(labelsize=9)
    axes[2, 0].set_ylabel("corners / centre")
    every = evenness[[f"corners_{time}" for time in _TIMES]].to_numpy(float)
    finite = [1.0, *every[np.isfinite(every)]]
    low, high = min(finite), max(finite)
    margin = 0.05 + 0.1 * (high - low)
    for axis in axes[2]:
        axis.set_ylim(low - margin, high + margin)
    return look.add_title(figure)


def evenness_summary(evenness: pd.DataFrame) -> pd.DataFrame:
    """Tabulate how bright corners are, one row per channel; all cells are text."""
    rows = []
    for channel, part in evenness.groupby("channel", sort=False):
        cells = {"channel": str(channel), "plates": f"{len(part):,}"}
        for time in _TIMES:
            cells[f"corners / centre {time}"] = _range(part, time)
        cells["strongest gain"] = f"{part['largest_gain'].max():.2f}"
        rows.append(cells | {"n": f"{int(part['fields'].sum()):,}"})
    return pd.DataFrame(rows)


def _range(part: pd.DataFrame, time: str) -> str:
    values = part[f"corners_{time}"].dropna()
    if values.empty:
        return ABSENT
    if len(part) == 1:
        row = part.iloc[0]
        if np.isnan(row[f"low_{time}"]):
            return f"{values.iloc[0]:.3f}"
        return f"{values.iloc[0]:.3f} ({row[f'low_{time}']:.3f}–{row[f'high_{time}']:.3f})"
    return f"{values.median():.3f} ({values.min():.3f} to {values.max():.3f})"


def evenness_text(evenness: pd.DataFrame) -> str:
    """Say how plates were corrected, and on which fields the effect was measured."""
    plates = evenness.drop_duplicates("plate")
    number = plates["basis"].value_counts()
    parts = []
    if number.get(PROVIDED, 0):
        parts.append(f"The fields of {counted(number[PROVIDED], 'plate')} were divided by functions of the screen.")
    if number.get(ESTIMATED, 0):
        estimated = plates[plates["basis"] == ESTIMATED]
        fields = estimated["estimated_from"]
        span = f"{fields.min():,}" if fields.min() == fields.max() else f"{fields.min():,} to {fields.max():,}"
        parts.append(
            f"The fields of {counted(len(estimated), 'plate')} were divided by functions that were estimated from "
            f"{span} fields per plate."
        )
        if same := int((~estimated["held_out"]).sum()):
            parts.append(
                f"On {counted(same, 'plate')} the effect is measured on the fields of the estimate, since too few "
                "others are left. It is then too favourable."
            )
    if number.get(TOO_FEW, 0):
        parts.append(f"{counted(number[TOO_FEW], 'plate')} with too few fields for an estimate stayed as they were.")
    return " ".join(parts)

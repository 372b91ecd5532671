"""Figures of the corruption study: a field with each corruption, and what corruptions cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cloome_kedro.imaging.corruptions import corrupt, draw_settings, field_seed, find_corruptions
from cloome_kedro.reporting.figures import draw_within_k
from cloome_kedro.reporting.montage import composite, display_limits, shrink
from cloome_kedro.reporting.style import (
    CORRUPTION_LABELS,
    Look,
    corruption_label,
    dodge,
    images_in_order,
    one_line,
    plain_text,
    styled,
    top_k_names,
)
from cloome_kedro.words import CLEAN, DIRECTIONS, ZERO_SHOT, counted

_PANEL_PIXELS = 520  # longest side of a panel
_MIN_ANGLE = 3.0  # degrees that a reader can see
#: panels of the figure of effects -> titles
_PANELS = {
    **{name: f"{label}, full pool" for name, label in DIRECTIONS.items()},
    "zero-shot": "zero-shot, any reference",
}


@plain_text
def corrupted_panels(
    fields: np.ndarray, filled: np.ndarray, names: Sequence[str], captions: Sequence[str], note: str = ""
) -> Figure:
    """Draw a clean field and its corrupted versions as composites with the same contrast, as in the published figure 1.

    The background is dark grey. The corners that a rotation fills with black are therefore visible.

    Parameters
    ----------
    fields
        uint8 (N, 5, H, W), the clean field first.
    filled
        bool (N, H, W), pixels without image content.
    names
        N names of corruptions. The first is ``clean``.
    captions
        N short texts below the panels: the settings that were drawn, such as an angle.
    note
        Small text above the panels.
    """
    limits = display_limits(fields[:1])
    limits[:, 0] -= 0.12 * (limits[:, 1] - limits[:, 0])
    pictures = composite(shrink(fields, _PANEL_PIXELS), limits)
    pictures[shrink(255 * filled.astype(np.uint8), _PANEL_PIXELS) > 127] = 0
    width = 2.4
    height = width * pictures.shape[1] / pictures.shape[2]
    head, foot = 0.62, 0.3
    total = height + head + foot
    figure = Figure(figsize=(len(pictures) * width, total))
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for letter, axis, picture, name, caption in zip("abcdefghij", axes, pictures, names, captions, strict=False):
        axis.imshow(picture)
        axis.set_title(letter, fontsize=10, loc="left", weight="bold")
        axis.set_title(corruption_label(name), fontsize=10)
        axis.set_xlabel(caption, fontsize=8.5, color="0.35")
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.subplots_adjust(0.004, foot / total, 0.996, 1 - head / total, wspace=0.03)
    figure.text(0.004, 1 - 0.17 / total, note, fontsize=9, color="0.35", va="center")
    return figure


def figure_1(
    field_ids: Iterable[str], read: Callable[[Iterable[str]], np.ndarray], seed: int, note: str = ""
) -> tuple[Figure, str]:
    """Draw figure 1 of the publication: one field, clean and with each of the four published corruptions.

    The seed determines an order of the fields. The figure shows the first field in this order on which every flip and
    every rotation is visible: flips are applied, and rotations are by 3° or more. The corruption study with the same
    seed and the stage ``field`` changes the field in the same way.

    Parameters
    ----------
    field_ids
        Fields to choose from.
    read
        Function from field ids to uint8 (N, 5, H, W), see :func:`~cloome_kedro.reporting.montage.field_reader`.
    seed
        Seed of the order of fields, and of the corruptions.
    note
        Small text above the panels, such as that the data are simulated.

    Returns
    -------
    figure : matplotlib.figure.Figure
    field_id : str
        The field that the figure shows.
    """
    corruptions = find_corruptions([name for name in CORRUPTION_LABELS if name != CLEAN])
    order = np.random.default_rng(seed).permutation(np.sort(np.asarray(list(field_ids))))
    for field_id in order:
        settings = [
            draw_settings(corruption, field_seed(seed, corruption.name, field_id)) for corruption in corruptions
        ]
        if all(map(_visible, settings)):
            break
    clean = read([field_id])
    image = torch.from_numpy(clean)
    pairs = list(zip(corruptions, settings, strict=True))
    corrupted = [corrupt(corruption, image, [drawn])[0].numpy() for corruption, drawn in pairs]
    masks = [corrupt(corruption, torch.ones_like(image), [drawn])[0][:, 0].numpy() for corruption, drawn in pairs]
    filled = np.concatenate([np.zeros_like(clean[:, 0], dtype=bool), *(mask == 0 for mask in masks)])
    names = [CLEAN, *(corruption.name for corruption in corruptions)]
    captions = ["", *map(_settings_text, settings)]
    title = " · ".join(part for part in (one_line(field_id, 100), note) if part)
    return corrupted_panels(np.concatenate([clean, *corrupted]), filled, names, captions, title), field_id


def _visible(settings: dict[str, Any]) -> bool:
    """Check whether a reader can see the corruption: some flip is applied, and any rotation is by 3° or more."""
    flips = [value for value in settings.values() if isinstance(value, bool)]
    return (any(flips) or not flips) and abs(settings.get("angle", _MIN_ANGLE)) >= _MIN_ANGLE


def _settings_text(settings: dict[str, Any]) -> str:
    """Format the settings of a corruption, such as ``↔  ↕  -3.2°``."""
    flips = {"flip_horizontal": "↔", "flip_vertical": "↕"}
    parts = [arrow for name, arrow in flips.items() if settings.get(name)]
    if "angle" in settings:
        parts.append(f"{settings['angle']:+.1f}°")
    return "  ".join(parts)


@styled
def corruption_effects(
    metrics: pd.DataFrame, differences: pd.DataFrame, look: Look, seen: Mapping[str, str] = {}
) -> Figure:
    """Draw top-k accuracies on clean and corrupted images, and below them the paired differences to clean images.

    The figure has one column per direction of retrieval in the full pool, and one for zero-shot classification. A
    column without results is left out. Intervals of accuracies are exact.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, clean and corrupted images.
    differences
        Table ``differences`` of one split.
    look
        Names and colours. The figure shows the first model.
    seen
        Corruption -> whether training has shown such images: no, partly or yes. Labels say so.
    """
    rows = _comparable(metrics, look.model)
    changes = _comparable(differences[differences["against"] == CLEAN], look.model)
    present = set(changes["panel"]) & set(rows["panel"])
    panels = {panel: title for panel, title in _PANELS.items() if panel in present}
    if not panels:
        return look.message("No corrupted images were evaluated.")
    top_ks = top_k_names(rows["metric"])
    max_rows = max(len(_row_names(changes[changes["panel"] == panel])) for panel in panels)
    figure = Figure(figsize=(4 * len(panels) + 1.6, 0.75 * max_rows + 2.2), layout="constrained")
    axes = figure.subplots(2, len(panels), squeeze=False)
    for column, panel in enumerate(panels):
        panel_changes = changes[changes["panel"] == panel]
        values = rows[(rows["panel"] == panel) & rows["row"].isin(_row_names(panel_changes))]
        _draw_panel(axes[0, column], values, top_ks, "value", seen)
        _draw_panel(axes[1, column], panel_changes.assign(chance=np.nan), top_ks, "difference", seen)
        axes[0, column].set(title=panels[panel], xlabel="top-k accuracy")
        axes[0, column].title.set_fontsize(10)
        axes[1, column].set_xlabel("difference to clean, in points")
        if column and panel in DIRECTIONS:  # its rows are those of the first column
            for axis in axes[:, column]:
                axis.tick_params(labelleft=False)
    handles = {handle.get_label(): handle for handle in axes[0, 0].get_legend_handles_labels()[0]}
    order = [*top_ks, *(f"chance, {top_k}" for top_k in top_ks)]
    figure.legend(handles=[handles[label] for label in order], loc="outside right center", frameon=False)
    return look.add_title(figure)


@styled
def corruption_ranks(clean: pd.DataFrame, corrupted: pd.DataFrame, look: Look, seen: Mapping[str, str] = {}) -> Figure:
    """Draw the share of queries whose match is among the first k candidates, on clean and corrupted images.

    The figure has one panel per direction of retrieval that was evaluated, and one curve per corruption. The pool is
    the full one.

    Parameters
    ----------
    clean, corrupted
        Tables ``ranks`` of retrieval. The figure shows the single draw with one field per compound.
    look
        Names and colours. The figure shows the first model.
    seen
        As in :func:`corruption_effects`.
    """
    ranks = pd.concat([clean, corrupted], ignore_index=True)
    ranks = ranks[(ranks["method"] == look.model) & (ranks["pool"] == "full") & (ranks["shown_by"] == "field")]
    ranks = ranks[(ranks["draw"] == 0) & ranks["direction"].isin(corrupted["direction"].dropna())]
    if ranks.empty:
        return look.message("No corrupted images were evaluated.")
    images = images_in_order(ranks["images"])
    labels = {name: corruption_label(name, seen.get(name, "no")) for name in images}
    colours = dict(zip(labels.values(), ["0.2", *sns.color_palette("crest_r", len(images) - 1)], strict=True))
    ranks = ranks.assign(images=ranks["images"].map(labels))
    directions = [name for name in DIRECTIONS if (ranks["direction"] == name).any()]
    figure = Figure(figsize=(5.2 * len(directions) + 1.8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(directions), squeeze=False, sharey=True)[0]
    for axis, direction in zip(axes, directions, strict=True):
        rows = ranks[ranks["direction"] == direction]
        draw_within_k(axis, rows, colours, by="images")
        size = counted(rows["candidates"].max(), "candidate")
        axis.set_title(f"{DIRECTIONS[direction]}, {size}", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.add_title(figure)


def _comparable(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Select the model's top-k rows of the published protocols, and add the columns ``panel`` and ``row``.

    ``panel`` is a key of ``_PANELS``. ``row`` names the images, after the task if the panel shows several.
    """
    table = table[table["metric"].str.startswith("top-") & (table["method"] == model) & (table["pool"] == "full")]
    table = table[table["excluded"].isin(["none"]) | table["excluded"].isna()]
    if "draws" in table:
        table = table[table["draws"] == 1]
    table = table[table["task"].isin(ZERO_SHOT) | (table["shown_by"] == "field")]
    zero_shot = table["task"].isin(ZERO_SHOT)
    table = table.assign(panel=table["direction"].where(~zero_shot, "zero-shot"))
    prefix = table["task"].str.removeprefix("zero-shot ") + ", "
    table["row"] = prefix.where(zero_shot, "") + table["images"]
    return table.drop_duplicates(["panel", "row", "metric"])


def _row_names(changes: pd.DataFrame) -> list[str]:
    """List the rows of a panel: clean and every corruption, for each zero-shot task."""
    prefixes = list(dict.fromkeys(name.rpartition(", ")[0] for name in changes["row"]))
    names = images_in_order([CLEAN, *changes["images"]])
    return [f"{prefix}, {name}" if prefix else name for prefix in prefixes for name in names]


def _draw_panel(axis: Axes, rows: pd.DataFrame, top_ks: list[str], column: str, seen: Mapping[str, str]) -> None:
    """Draw values or differences along x. Each k has its own shade."""
    names = [name for name in _row_names(rows) if (rows["row"] == name).any()]
    offsets, shades = dodge(len(top_ks), 0.6), sns.color_palette("crest_r", len(top_ks))
    for top_k, offset, shade in zip(top_ks, offsets, shades, strict=True):
        points = 100 * rows[rows["metric"] == top_k].set_index("row")[["chance", "low", "high", column]].reindex(names)
        y = np.arange(len(names)) + offset
        axis.vlines(points["chance"], y - 0.12, y + 0.12, color=shade, linewidth=1.4, label=f"chance, {top_k}")
        axis.hlines(y, points["low"], points["high"], color=shade, linewidth=2)
        axis.plot(points[column], y, "o", color=shade, markersize=6, markeredgecolor="white", label=top_k)
    parts = [name.rpartition(", ")[::2] for name in names]
    labels = [
        f"{prefix}, {corruption_label(images, seen.get(images, 'no'))}".removeprefix(", ") for prefix, images in parts
    ]
    axis.set_yticks(range(len(names)), [label.replace(" (", "\n(") for label in labels])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    if column == "value":
        axis.set_xlim(0, min(102, 108 * float(rows["high"].max())))
        axis.xaxis.set_major_formatter("{x:g} %")
    else:
        axis.axvline(0, color="0.1", linewidth=0.9)

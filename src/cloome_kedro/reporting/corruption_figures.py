"""Figures of the corruption study: the corrupted field itself, and what corruptions cost."""

from collections.abc import Callable, Iterable, Sequence
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
    CORRUPTIONS,
    Look,
    corruption_label,
    dodge,
    images_in_order,
    styled,
    top_k_names,
)
from cloome_kedro.words import CLEAN, DIRECTIONS, ZERO_SHOT


def corrupted_panels(
    fields: np.ndarray, filled: np.ndarray, names: Sequence[str], drawn: Sequence[str], note: str = ""
) -> Figure:
    """One field as it is and as corruptions change it, as composites at one contrast: the publication's figure 1.

    Background is drawn dark grey, so that the wedges that a rotation fills with black are seen.

    Parameters
    ----------
    fields
        uint8 (N, 5, H, W), the clean one first.
    filled
        bool (N, H, W), pixels without an image.
    names
        N names of corruptions; the first is ``clean``.
    drawn
        N short texts: what was drawn for the field, such as an angle.
    note
        Small text above: which field it is, and that the data are simulated.
    """
    limits = display_limits(fields[:1])
    limits[:, 0] -= 0.12 * (limits[:, 1] - limits[:, 0])
    pictures = composite(shrink(fields, 520), limits)
    pictures[shrink(255 * filled.astype(np.uint8), 520) > 127] = 0
    width = 2.4
    height = width * pictures.shape[1] / pictures.shape[2]
    head, foot = 0.62, 0.3
    total = height + head + foot
    figure = Figure(figsize=(len(pictures) * width, total))
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for letter, axis, picture, name, text in zip("abcdefghij", axes, pictures, names, drawn, strict=False):
        axis.imshow(picture)
        axis.set_title(f"$\\bf{{{letter}}}$  {corruption_label(name)}", fontsize=10, loc="left")
        axis.set_xlabel(text, fontsize=8.5, color="0.35")
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.subplots_adjust(0.004, foot / total, 0.996, 1 - head / total, wspace=0.03)
    figure.text(0.004, 1 - 0.17 / total, note, fontsize=9, color="0.35", va="center")
    return figure


def figure_1(
    field_ids: Iterable[str], read: Callable[[Iterable[str]], np.ndarray], seed: int, note: str = ""
) -> tuple[Figure, str]:
    """The publication's figure 1: one field, clean and by each of the four published corruptions.

    Fields are tried in an order drawn by the seed. Shown is the first that every flip does flip and that every rotation
    turns by 3° or more. It is changed as the corruption study with this seed changes it, before the encoder's crop.

    Parameters
    ----------
    field_ids
        Fields that may be shown.
    read
        Function from field ids to uint8 (N, 5, H, W), see :func:`~cloome_kedro.reporting.montage.field_reader`.
    seed
        Of the order of fields, and of the corruptions.
    note
        Small text above, such as that the data are simulated.

    Returns
    -------
    figure, id of the field
    """
    changes = find_corruptions([name for name in CORRUPTIONS if name != CLEAN])
    order = np.random.default_rng(seed).permutation(np.sort(np.asarray(list(field_ids))))
    for field_id in order:
        settings = [draw_settings(change, field_seed(seed, change.name, field_id)) for change in changes]
        if all(_visible(drawn) for drawn in settings):
            break
    clean = read([field_id])
    image = torch.from_numpy(clean)
    pairs = list(zip(changes, settings, strict=True))
    changed = [corrupt(change, image, [drawn])[0].numpy() for change, drawn in pairs]
    masks = [corrupt(change, torch.ones_like(image), [drawn])[0][:, 0].numpy() for change, drawn in pairs]
    filled = np.concatenate([np.zeros_like(clean[:, 0]) > 0, *(mask == 0 for mask in masks)])
    names = [CLEAN, *(change.name for change in changes)]
    parts = (str(field_id), note)
    texts = ["", *map(_drawn_text, settings)]
    title = " · ".join(filter(None, parts))
    return corrupted_panels(np.concatenate([clean, *changed]), filled, names, texts, title), field_id


def _visible(settings: dict[str, Any], least: float = 3.0) -> bool:
    """Whether a field is flipped, if it could be, and turned by ``least`` degrees, if at all."""
    flips = [value for value in settings.values() if isinstance(value, bool)]
    return (any(flips) or not flips) and abs(settings.get("angle", least)) >= least


def _drawn_text(settings: dict[str, Any]) -> str:
    """What was drawn for a field, such as ``↔ ↕ -3.2°``."""
    flips = {"flip_horizontal": "↔", "flip_vertical": "↕"}
    parts = [arrow for name, arrow in flips.items() if settings.get(name)]
    if "angle" in settings:
        parts.append(f"{settings['angle']:+.1f}°")
    return "  ".join(parts)


@styled
def corruption_effects(metrics: pd.DataFrame, differences: pd.DataFrame, look: Look) -> Figure:
    """Top-k accuracies on clean and corrupted images with exact intervals; below, paired differences to clean.

    There is one column per direction of retrieval in the full pool, and one for zero-shot classification where it was
    asked for.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split, on clean and on corrupted images.
    differences
        Table ``differences`` of one split.
    look
        Names and colours.
    """
    rows = _comparable(metrics, look.model)
    changes = _comparable(differences[differences["against"] == CLEAN], look.model)
    groups = {name: key for name, key in _groups().items() if (changes["group"] == name).any()}
    if not groups:
        return look.message("No corrupted images were evaluated.")
    tops = top_k_names(rows["metric"])
    most = max(len(_places(changes[changes["group"] == group])) for group in groups)
    figure = Figure(figsize=(4 * len(groups) + 1.6, 0.75 * most + 2.2), layout="constrained")
    axes = figure.subplots(2, len(groups), squeeze=False)
    for column, group in enumerate(groups):
        drops = changes[changes["group"] == group]
        values = rows[(rows["group"] == group) & rows["place"].isin(_places(drops))]
        _draw(axes[0, column], values, tops, "value")
        _draw(axes[1, column], drops.assign(chance=np.nan), tops, "difference")
        axes[0, column].set(title=groups[group], xlabel="top-k accuracy")
        axes[0, column].title.set_fontsize(10)
        axes[1, column].set_xlabel("difference to clean, in points")
        if column and group in DIRECTIONS:  # rows as in the first column
            for axis in axes[:, column]:
                axis.tick_params(labelleft=False)
    handles = {handle.get_label(): handle for handle in axes[0, 0].get_legend_handles_labels()[0]}
    order = [*tops, *(f"chance, {top}" for top in tops)]
    figure.legend(handles=[handles[label] for label in order], loc="outside right center", frameon=False)
    return look.on(figure)


@styled
def corruption_ranks(clean: pd.DataFrame, corrupted: pd.DataFrame, look: Look) -> Figure:
    """Share of queries whose match is among the first k of all candidates, for every k, on clean and corrupted images.

    There is one panel per direction of retrieval that was evaluated, with one curve per corruption.

    Parameters
    ----------
    clean, corrupted
        Tables ``ranks`` of retrieval, of the single draw of fields and more.
    look
        Names of models.
    """
    ranks = pd.concat([clean, corrupted], ignore_index=True)
    ranks = ranks[(ranks["method"] == look.model) & (ranks["pool"] == "full") & (ranks["shown_by"] == "field")]
    ranks = ranks[(ranks["draw"] == 0) & ranks["direction"].isin(corrupted["direction"].dropna())]
    if ranks.empty:
        return look.message("No corrupted images were evaluated.")
    images = images_in_order(ranks["images"])
    colours = dict(
        zip(map(corruption_label, images), ["0.2", *sns.color_palette("crest_r", len(images) - 1)], strict=True)
    )
    ranks = ranks.assign(images=ranks["images"].map(corruption_label))
    directions = [name for name in DIRECTIONS if (ranks["direction"] == name).any()]
    figure = Figure(figsize=(5.2 * len(directions) + 1.8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(directions), squeeze=False, sharey=True)[0]
    for axis, direction in zip(axes, directions, strict=True):
        rows = ranks[ranks["direction"] == direction]
        draw_within_k(axis, rows, colours, by="images")
        axis.set_title(f"{DIRECTIONS[direction]}, {rows['candidates'].max()} candidates", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return look.on(figure)


def _groups() -> dict[str, str]:
    retrieval = {name: f"{label}, full pool" for name, label in DIRECTIONS.items()}
    return {**retrieval, "zero-shot": "zero-shot, any reference"}


def _comparable(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """The model's top-k rows of the published protocols, with the column they are drawn in and their place there."""
    table = table[table["metric"].str.startswith("top-") & (table["method"] == model) & (table["pool"] == "full")]
    table = table[table["excluded"].isin(["none"]) | table["excluded"].isna()]
    if "draws" in table:
        table = table[table["draws"] == 1]
    table = table[table["task"].isin(ZERO_SHOT) | (table["shown_by"] == "field")]
    zero_shot = table["task"].isin(ZERO_SHOT)
    table = table.assign(group=table["direction"].where(~zero_shot, "zero-shot"))
    kind = table["task"].str.removeprefix("zero-shot ") + ", "
    table["place"] = kind.where(zero_shot, "") + table["images"]
    return table.drop_duplicates(["group", "place", "metric"])


def _places(changes: pd.DataFrame) -> list[str]:
    """Places of an axis: clean and every corruption, once for each zero-shot task."""
    prefixes = list(dict.fromkeys(place.rpartition(", ")[0] for place in changes["place"]))
    names = images_in_order([CLEAN, *changes["images"]])
    return [f"{prefix}, {name}" if prefix else name for prefix in prefixes for name in names]


def _draw(axis: Axes, rows: pd.DataFrame, tops: list[str], column: str) -> None:
    """Draw values or differences along x, one row per place, each k in its own shade."""
    places = [place for place in _places(rows) if (rows["place"] == place).any()]
    offsets, shades = dodge(len(tops), 0.6), sns.color_palette("crest_r", len(tops))
    for top, offset, shade in zip(tops, offsets, shades, strict=True):
        of_k = rows[rows["metric"] == top].set_index("place").reindex(places)
        y = np.arange(len(places)) + offset
        axis.vlines(100 * of_k["chance"], y - 0.12, y + 0.12, color=shade, linewidth=1.4, label=f"chance, {top}")
        axis.hlines(y, 100 * of_k["low"], 100 * of_k["high"], color=shade, linewidth=2)
        axis.plot(100 * of_k[column], y, "o", color=shade, markersize=6, markeredgecolor="white", label=top)
    names = [(*place.rpartition(", ")[::2],) for place in places]
    axis.set_yticks(range(len(places)), [f"{kind}, {corruption_label(n)}".removeprefix(", ") for kind, n in names])
    axis.set_ylim(len(places) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    if column == "value":
        axis.set_xlim(0, min(102, 108 * float(rows["high"].max())))
        axis.xaxis.set_major_formatter("{x:g} %")
    else:
        axis.axvline(0, color="0.1", linewidth=0.9)

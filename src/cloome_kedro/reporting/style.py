"""What all figures and tables share: names, order and colours of methods and corruptions, titles, one style."""

from collections.abc import Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

#: directions as the tables name them -> as figures and reports explain them
DIRECTIONS = {"structure retrieval": "image → compound", "image retrieval": "compound → image"}
MODEL, BASELINE, CHANCE = "CLOOME", "Bilinear", "Random"
CLEAN = "clean"
#: corruptions as the tables name them -> as people read them; one that is not here is read as it is named
CORRUPTIONS = {
    CLEAN: "clean",
    "random_flip": "random flip",
    "small_rotation": "rotation ±10°",
    "random_flip_small_rotation": "flip + rotation ±10°",
    "large_rotation": "rotation ±180°",
}
_METHODS = [
    *(MODEL, BASELINE, "Profiles", "Untrained"),
    *("Plate only", "Well position only", "Cell count only"),
    CHANCE,
]
_COLOURS = dict(zip(_METHODS[:7], (0, 1, 2, 3, 7, 5, 9), strict=True))
_MARKERS = dict(zip(_METHODS[:7], "osD^vPX", strict=True))


def in_order(methods: Iterable[str]) -> list[str]:
    """Methods as every table and figure shows them: the model, baselines, confounders, chance, then others by name."""
    return sorted(
        set(methods), key=lambda method: (_METHODS.index(method) if method in _METHODS else len(_METHODS), method)
    )


def images_in_order(names: Iterable[str]) -> list[str]:
    """Clean first, then the publication's corruptions in its order, then others by name."""
    known = list(CORRUPTIONS)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def corruption_label(name: str) -> str:
    return CORRUPTIONS.get(name, name.replace("_", " "))


def colours(methods: Iterable[str]) -> dict[str, Any]:
    """A colour for each method, the same in every figure; those without one of their own take what is left."""
    palette = sns.color_palette("colorblind", 10)
    others = (palette[i] for i in (4, 6, 8))
    return {
        method: palette[_COLOURS[method]] if method in _COLOURS else next(others, (0.3, 0.3, 0.3))
        for method in in_order(methods)
    }


def marker(method: str) -> str:
    """A marker for each method, so that figures are read without colours too."""
    return _MARKERS.get(method, "*")


def top_k_names(names: Iterable[str]) -> list[str]:
    """``top-…`` among the names of metrics, by k."""
    return sorted({name for name in names if name.startswith("top-")}, key=lambda name: int(name.removeprefix("top-")))


def single_draw(table: pd.DataFrame, images: str = CLEAN) -> pd.DataFrame:
    """Of ranks or metrics: the single draw that a publication would give.

    One field stands for a compound or class; its mean embedding does where the table has nothing else.
    """
    first = table["draw"] == 0 if "draw" in table else table["draws"] == 1
    rows = table[first & (table["images"] == images)]
    return rows[rows["shown_by"] == ("field" if (rows["shown_by"] == "field").any() else "mean")]


def styled(draw):
    """Draw in one style without touching matplotlib's global settings."""

    @wraps(draw)
    def in_style(*args, **kwargs):
        with (
            sns.axes_style("whitegrid"),
            sns.plotting_context("notebook", font_scale=0.9),
            sns.color_palette("colorblind"),
        ):
            return draw(*args, **kwargs)

    return in_style


def titled(figure: Figure, title: str, note: str) -> Figure:
    """Title on the left, the note (simulated data) in small type after it."""
    figure.suptitle(" · ".join(part for part in (title, note) if part), x=0.01, ha="left", fontsize=10, color="0.35")
    return figure


def message(text: str, title: str = "", note: str = "") -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = Figure(figsize=(7, 1.2))
    figure.text(0.01, 0.35, text, fontsize=11, color="0.35", va="center")
    return titled(figure, title, note)


def dodge(number: int, width: float = 0.8) -> np.ndarray:
    """Offsets that put ``number`` marks side by side at one place of an axis."""
    return (np.arange(number) + 0.5) / max(number, 1) * width - width / 2


def mark(
    axis: Axes, place: float, row: Any, method: str, colour: Any, size: float = 6, horizontal: bool = False
) -> None:
    """A value as the method's marker, with its interval as a line where it has one.

    Parameters
    ----------
    place : where on the axis of categories
    row : has ``value``, ``low`` and ``high``
    horizontal : whether values lie along x
    """
    ends = [row["low"], row["high"]]
    if pd.notna(ends).all():
        axis.plot(*((ends, [place] * 2) if horizontal else ([place] * 2, ends)), color=colour, linewidth=2, zorder=2)
    point = (row["value"], place) if horizontal else (place, row["value"])
    axis.plot(*point, marker=marker(method), color=colour, markersize=size, markeredgecolor="white", zorder=3)


def legend_entries(methods: Sequence[str]) -> list[Line2D]:
    """What a legend shows of each method: its marker in its colour."""
    taken = colours(methods)
    return [
        Line2D([], [], color=taken[method], marker=marker(method), markersize=7, linestyle="none", label=method)
        for method in methods
    ]

"""What all figures and tables share: names, order and colours of methods and corruptions, titles, one style."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import chain, repeat
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cloome_kedro.words import (
    CELL_COUNT_ONLY,
    CLEAN,
    ORACLE_MECHANISM,
    ORACLE_PHENOTYPE,
    PLATE_ONLY,
    PROFILES,
    RANDOM,
    UNTRAINED,
    WELL_ONLY,
)

#: corruptions as tables name them -> as people read them; others are read as they are named
CORRUPTIONS = {
    CLEAN: "clean",
    "random_flip": "random flip",
    "small_rotation": "rotation ±10°",
    "random_flip_small_rotation": "flip + rotation ±10°",
    "large_rotation": "rotation ±180°",
}
#: methods that are not models -> place in the palette (none: dark grey), and marker
_OTHERS = {
    PROFILES: (2, "D"),
    UNTRAINED: (3, "^"),
    PLATE_ONLY: (7, "v"),
    WELL_ONLY: (5, "P"),
    CELL_COUNT_ONLY: (9, "X"),
    RANDOM: (None, "*"),
}
#: places in the palette, and markers, of models in the order of the study
_MODELS = ((0, "o"), (1, "s"), (4, "h"), (6, "p"), (8, "<"))
#: what models have left is for oracles and then for further methods; after it come greys
_LEFT = (4, 6, 8)
_GREYS = tuple((level,) * 3 for level in (0.3, 0.5, 0.7))


@dataclass(frozen=True)
class Look:
    """What every figure and table of a study says and how it looks.

    Attributes
    ----------
    title
        Small text above a figure: what it is of, such as the split.
    note
        Small text after the title, such as that the data are simulated.
    models
        Models of the study: name -> label. The study is about the first.
    """

    title: str = ""
    note: str = ""
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Label of the model that the study is about; empty where a study has no models."""
        return next(iter(self.models.values()), "")

    @property
    def heading(self) -> str:
        """Title and note."""
        return " · ".join(part for part in (self.title, self.note) if part)

    @property
    def warning(self) -> str:
        """The note as headings of texts have it."""
        return f" — {self.note.upper()}" if self.note else ""

    def in_order(self, methods: Iterable[str]) -> list[str]:
        """Methods as every table and figure shows them: models, baselines, confounders, chance, then others by name."""
        known = [*self.models.values(), *_OTHERS]
        return sorted(set(methods), key=lambda method: (known.index(method) if method in known else len(known), method))

    def colours(self, methods: Iterable[str]) -> dict[str, Any]:
        """A colour for each method, the same in every figure."""
        palette, shown = sns.color_palette("colorblind", 10), self.in_order(methods)
        taken = {
            name: (0.1, 0.1, 0.1) if place is None else palette[place] for name, (place, _) in self._styles().items()
        }
        # Oracles come first, so that their colours do not depend on what else is shown.
        others = dict.fromkeys([ORACLE_MECHANISM, ORACLE_PHENOTYPE, *(name for name in shown if name not in taken)])
        left = [palette[place] for place in _LEFT[max(0, len(self.models) - 2) :]]
        taken |= zip(others, chain(left, _GREYS, repeat(_GREYS[-1])), strict=False)
        return {name: taken[name] for name in shown}

    def marker(self, method: str) -> str:
        """A marker for each method, so that figures are read without colours too."""
        return self._styles().get(method, (None, "*"))[1]

    def _styles(self) -> dict[str, tuple[int | None, str]]:
        return {**_OTHERS, **dict(zip(self.models.values(), _MODELS, strict=False))}

    def on(self, figure: Figure, more: str = "") -> Figure:
        """The figure with title and note in its upper left corner."""
        parts = (self.title, more, self.note)
        figure.suptitle(" · ".join(part for part in parts if part), x=0.01, ha="left", fontsize=10, color="0.35")
        return figure

    def message(self, text: str) -> Figure:
        """A figure that says why there is nothing to draw."""
        figure = Figure(figsize=(7, 1.2))
        figure.text(0.01, 0.35, text, fontsize=11, color="0.35", va="center")
        return self.on(figure)

    def legend_entries(self, methods: Sequence[str]) -> list[Line2D]:
        """What a legend shows of each method: its marker in its colour."""
        taken = self.colours(methods)
        style: dict[str, Any] = {"markersize": 7, "linestyle": "none"}
        return [Line2D([], [], color=taken[name], marker=self.marker(name), label=name, **style) for name in methods]

    def mark(self, axis: Axes, place: float, row: Mapping[Any, Any], colour: Any) -> None:
        """Draw a value as its method's marker, with its interval as a line, if it has one.

        Parameters
        ----------
        place
            Where on the axis of categories.
        row
            Has ``method``, ``value``, ``low`` and ``high``.
        """
        ends = [row["low"], row["high"]]
        if pd.notna(ends).all():
            axis.plot([place] * 2, ends, color=colour, linewidth=2, zorder=2)
        style: dict[str, Any] = {"markersize": 6, "markeredgecolor": "white", "zorder": 3}
        axis.plot(place, row["value"], marker=self.marker(row["method"]), color=colour, **style)


def images_in_order(names: Iterable[str]) -> list[str]:
    """Clean first, then the publication's corruptions in its order, then others by name."""
    known = list(CORRUPTIONS)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def corruption_label(name: str) -> str:
    """A corruption's name as people read it."""
    return CORRUPTIONS.get(name, name.replace("_", " "))


def top_k_names(names: Iterable[str]) -> list[str]:
    """``top-…`` among the names of metrics, by k."""
    return sorted({name for name in names if name.startswith("top-")}, key=lambda name: int(name.removeprefix("top-")))


def single_draw(table: pd.DataFrame, images: str = CLEAN) -> pd.DataFrame:
    """Of ranks or metrics: the single draw that a publication would give.

    One field shows a compound or class; the mean of fields does where the table has nothing else.
    """
    first = table["draw"] == 0 if "draw" in table else table["draws"] == 1
    rows = table[first & (table["images"] == images)]
    return rows[rows["shown_by"] == ("field" if (rows["shown_by"] == "field").any() else "mean")]


def styled(draw):
    """Draw in one style, without touching matplotlib's global settings."""

    @wraps(draw)
    def in_style(*args, **kwargs):
        with (
            sns.axes_style("whitegrid"),
            sns.plotting_context("notebook", font_scale=0.9),
            sns.color_palette("colorblind"),
        ):
            return draw(*args, **kwargs)

    return in_style


def dodge(number: int, width: float = 0.8) -> np.ndarray:
    """Offsets that put ``number`` marks side by side at one place of an axis."""
    return (np.arange(number) + 0.5) / max(number, 1) * width - width / 2

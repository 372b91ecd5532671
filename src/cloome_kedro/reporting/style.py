"""Common style of figures and tables: names, order and colours of methods and corruptions, titles."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import chain, repeat
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from cloome_kedro.reporting.corrected_style import Variant, variants
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
    one_line,
)

#: names of corruptions in tables -> labels. The label of another corruption is its name without underscores.
CORRUPTION_LABELS = {
    CLEAN: "clean",
    "random_flip": "random flip",
    "small_rotation": "rotation ±10°",
    "random_flip_small_rotation": "flip + rotation ±10°",
    "large_rotation": "rotation ±180°",
}
#: methods that are not models -> index of the colour in the palette (None: dark grey), and marker
_METHOD_STYLES = {
    PROFILES: (2, "D"),
    UNTRAINED: (3, "^"),
    PLATE_ONLY: (7, "v"),
    WELL_ONLY: (5, "P"),
    CELL_COUNT_ONLY: (9, "X"),
    RANDOM: (None, "*"),
}
#: the same for models, in the order of the study
_MODEL_STYLES = ((0, "o"), (1, "s"), (4, "h"), (6, "p"), (8, "<"))
#: colours of the models from the third on. Colours that are left over are for oracles, and then for other methods.
#: Further methods are grey.
_SPARE_COLOURS = (4, 6, 8)
_GREYS = tuple((level,) * 3 for level in (0.3, 0.5, 0.7))


def plain_text(draw):
    """Decorate a function that draws, so that text is shown as it is: ``$`` does not begin a formula.

    Names of compounds, plates and so on come from the user. The global settings of matplotlib do not change.
    """

    @wraps(draw)
    def draw_plain_text(*args, **kwargs):
        with matplotlib.rc_context({"text.parse_math": False}):
            return draw(*args, **kwargs)

    return draw_plain_text


@dataclass(frozen=True)
class Look:
    """Titles, names, order and colours in the figures and tables of a study.

    Attributes
    ----------
    title
        Small text above a figure, such as the split.
    note
        Small text after the title, such as that the data are simulated.
    models
        Models of the study: name -> label. The study is about the first model.
    reference
        Label of the model with which the others are compared. Empty: there is none.
    """

    title: str = ""
    note: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""

    @property
    def model(self) -> str:
        """Label of the first model. It is empty if the study has no models."""
        return next(iter(self.models.values()), "")

    @property
    def heading(self) -> str:
        """Title and note in one line."""
        return _joined(self.title, self.note)

    @property
    def warning(self) -> str:
        """Note as it follows the heading of a text for the terminal."""
        return f" — {self.note.upper()}" if self.note else ""

    def in_order(self, methods: Iterable[str]) -> list[str]:
        """Sort methods: models, profiles, untrained, confounders, chance, then others by name.

        A corrected method comes right after the method that it corrects.
        """
        known, made = [*self.models.values(), *_METHOD_STYLES], self._variants()
        places = {name: (known.index(variant.uncorrected), variant.place) for name, variant in made.items()}
        places |= {name: (place, 0) for place, name in enumerate(known)}
        return sorted(set(methods), key=lambda name: (*places.get(name, (len(known), 0)), name))

    def colours(self, methods: Iterable[str]) -> dict[str, Any]:
        """Get a colour for each method. A method has the same colour in all figures, also where it is corrected."""
        palette, shown, made = sns.color_palette("colorblind", 10), self.in_order(methods), self._variants()
        colours = {
            name: (0.1, 0.1, 0.1) if index is None else palette[index] for name, (index, _) in self._styles().items()
        }
        colours |= {name: colours[made[name].uncorrected] for name in shown if name in made}
        # Oracles come first, so that their colours do not depend on the other methods in the figure.
        others = dict.fromkeys([ORACLE_MECHANISM, ORACLE_PHENOTYPE, *(name for name in shown if name not in colours)])
        spare = [palette[index] for index in _SPARE_COLOURS[max(0, len(self.models) - 2) :]]
        colours |= zip(others, chain(spare, _GREYS, repeat(_GREYS[-1])), strict=False)
        return {name: colours[name] for name in shown}

    def marker(self, method: str) -> Any:
        """Get the marker of a method. Markers make figures readable without colours."""
        return self.variant(method).marker or self._styles().get(method, (None, "*"))[1]

    def variant(self, method: str) -> Variant:
        """Get the line and the hatch of a method, and which method it corrects."""
        return self._variants().get(method, Variant())

    def _variants(self) -> dict[str, Variant]:
        return variants(self._styles())

    def _styles(self) -> dict[str, tuple[int | None, str]]:
        return {**_METHOD_STYLES, **dict(zip(self.models.values(), _MODEL_STYLES, strict=False))}

    @plain_text
    def add_title(self, figure: Figure, subtitle: str = "") -> Figure:
        """Write title, subtitle and note in the upper left corner of a figure, and return the figure."""
        text = _joined(one_line(_joined(self.title, subtitle), _title_width(figure, self.note)), self.note)
        figure.suptitle(text, x=0.01, ha="left", fontsize=10, color="0.35")
        return figure

    @plain_text
    def message(self, text: str) -> Figure:
        """Make a figure that says why there is nothing to draw."""
        figure = Figure(figsize=(7, 1.2))
        figure.text(0.01, 0.35, textwrap.fill(text, 80, max_lines=2), fontsize=11, color="0.35", va="center")
        return self.add_title(figure)

    def legend_entries(self, methods: Sequence[str]) -> list[Line2D]:
        """Make the legend entry of each method: its marker in its colour."""
        colours = self.colours(methods)
        style: dict[str, Any] = {"markersize": 7, "linestyle": "none"}
        return [Line2D([], [], color=colours[name], marker=self.marker(name), label=name, **style) for name in methods]

    def mark(self, axis: Axes, x: float, row: Mapping[Any, Any], colour: Any) -> None:
        """Draw a value as the marker of its method. If the value has an interval, draw it as a line.

        Parameters
        ----------
        axis
            Axes to draw on.
        x
            Position on the axis of categories.
        row
            Values of the keys ``method``, ``value``, ``low`` and ``high``.
        colour
            Colour of the marker and the line.
        """
        ends = [row["low"], row["high"]]
        if pd.notna(ends).all():
            axis.plot([x, x], ends, color=colour, linewidth=2, zorder=2)
        style: dict[str, Any] = {"markersize": 6, "markeredgecolor": "white", "zorder": 3}
        if self.variant(row["method"]).uncorrected:  # stars have less area
            style |= {"markersize": 9, "markeredgewidth": 0.5}
        axis.plot(x, row["value"], marker=self.marker(row["method"]), color=colour, **style)


def _title_width(figure: Figure, note: str) -> int:
    """Characters of a title that fit into a figure beside its note."""
    return max(10, int(13 * figure.get_figwidth()) - len(note) - 3)


def _joined(*parts: str) -> str:
    return " · ".join(one_line(part) for part in parts if part)


def _sorted_by(names: Iterable[str], known: list[str]) -> list[str]:
    """Remove duplicates. Sort known names by their position in ``known``, then other names alphabetically."""
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def images_in_order(names: Iterable[str]) -> list[str]:
    """Sort kinds of images: clean, then the publication's corruptions in its order, then others by name."""
    return _sorted_by(names, list(CORRUPTION_LABELS))


def corruption_label(name: str, seen: str = "no") -> str:
    """Get the label of a corruption; ``seen`` says whether training has shown such images: no, partly or yes.

    Examples
    --------
    >>> corruption_label("large_rotation"), corruption_label("gaussian_blur", "partly")
    ('rotation ±180°', 'gaussian blur (partly in training)')
    """
    mark = {"no": "", "partly": " (partly in training)", "yes": " (in training)"}[seen]
    return CORRUPTION_LABELS.get(name, name.replace("_", " ")) + mark


def top_k_names(names: Iterable[str]) -> list[str]:
    """Select the names of top-k accuracies, and sort them by k.

    Examples
    --------
    >>> top_k_names(["top-10", "mean rank", "top-5", "top-5"])
    ['top-5', 'top-10']
    """
    return sorted({name for name in names if name.startswith("top-")}, key=lambda name: int(name.removeprefix("top-")))


def single_draw(table: pd.DataFrame, images: str = CLEAN) -> pd.DataFrame:
    """Select the single draw that a publication would report.

    Parameters
    ----------
    table
        Table ``ranks`` or ``metrics``.
    images
        Kind of images to select.

    Returns
    -------
    pandas.DataFrame
        Rows in which one field shows a compound or class. If there are none, rows in which the mean of fields does.
    """
    first = table["draw"] == 0 if "draw" in table else table["draws"] == 1
    rows = table[first & (table["images"] == images)]
    return rows[rows["shown_by"] == ("field" if (rows["shown_by"] == "field").any() else "mean")]


def styled(draw):
    """Decorate a function that draws, so that all figures have the same style, and text as with :func:`plain_text`.

    The global settings of matplotlib do not change.
    """

    @wraps(draw)
    def draw_in_style(*args, **kwargs):
        with (
            sns.axes_style("whitegrid"),
            sns.plotting_context("notebook", font_scale=0.9),
            sns.color_palette("colorblind"),
        ):
            return plain_text(draw)(*args, **kwargs)

    return draw_in_style


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis with plain numbers: powers of ten, and also 2 and 5 if it is short.

    Parameters
    ----------
    axis
        The axis, with a logarithmic scale.
    low, high
        Smallest and largest value, above 0.
    """
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def dodge(number: int, width: float = 0.8) -> np.ndarray:
    """Compute offsets that put ``number`` marks side by side around one position of an axis.

    Examples
    --------
    >>> dodge(2, width=1.0).tolist()
    [-0.25, 0.25]
    """
    return (np.arange(number) + 0.5) / max(number, 1) * width - width / 2

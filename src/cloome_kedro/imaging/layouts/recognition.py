"""Recognise the layout of a folder by the names of its files."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloome_kedro.imaging.layouts import LAYOUTS


@dataclass(frozen=True)
class Recognised:
    """A layout that explains files of a folder.

    Attributes
    ----------
    layout
        Name of the layout.
    files
        Number of files that the layout explains.
    settings
        Proposed settings of the source beside name, layout, folder and platemap; see
        `cloome_kedro.imaging.sources.Source`.
    example
        One of these files.
    notes
        Sentences about what is proposed, or what the user must decide.
    """

    layout: str
    files: int
    settings: dict[str, Any] = field(default_factory=dict)
    example: str = ""
    notes: tuple[str, ...] = ()


def recognise_layouts(names: Iterable[str]) -> list[Recognised]:
    """Return the layouts that explain files of a folder; the one that explains most of them is first.

    Parameters
    ----------
    names
        Names of the files below the folder, relative to it, with ``/`` between folders.

    Notes
    -----
    The module of a layout can have a function ``recognise(names) -> Recognised | None``. If it has none, the layout is
    not recognised.
    """
    listed = sorted(names)
    recognised = []
    for name in LAYOUTS:
        recognise: Callable[[Sequence[str]], Recognised | None] | None = getattr(
            sys.modules[LAYOUTS[name].__module__], "recognise", None
        )
        if recognise is not None and (layout := recognise(listed)) is not None and layout.layout == name:
            recognised.append(layout)
    return sorted(recognised, key=lambda layout: -layout.files)


def match_names(pattern: re.Pattern[str], names: Iterable[str]) -> list[tuple[str, re.Match[str]]]:
    """Names whose last part, without folders, fits the pattern, each with its match."""
    files = ((name, name.rpartition("/")[2]) for name in names)
    matches = ((name, pattern.fullmatch(file)) for name, file in files if not file.startswith("._"))
    return [(name, match) for name, match in matches if match]


def propose_axes(**numbers: Iterable[int]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Propose settings for several z planes or time points, and say so; nothing if there is only one.

    Parameters
    ----------
    numbers
        ``z`` and ``time``: the number of the plane, and of the time point, of each file.

    Examples
    --------
    >>> propose_axes(z=[1, 1], time=[3, 4])
    ({'time': 3}, ('2 time points (3, 4): the first is proposed',))
    """
    settings: dict[str, Any] = {}
    notes = []
    for axis, values in numbers.items():
        if len(counts := Counter(values)) > 1:
            settings[axis] = "max" if axis == "z" else min(counts)
            what = "planes of z stacks" if axis == "z" else "time points"
            proposal = "the maximum over them" if axis == "z" else "the first"
            notes.append(f"{len(counts)} {what} ({', '.join(map(str, sorted(counts)[:8]))}): {proposal} is proposed")
    return settings, tuple(notes)

"""Encoding of figures. Equal figures give equal bytes."""

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

#: control characters, which matplotlib copies from texts into comments, and which make an SVG unreadable
_NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def encode(figure: Figure, kind: str, dpi: int | None = None) -> bytes:
    """Encode a figure as an image file.

    Parameters
    ----------
    figure
        Any figure.
    kind
        ``svg``, ``webp``, ``png`` or ``pdf``.
    dpi
        Pixels per inch. The default is 130.

    Returns
    -------
    bytes
        Content of the file, without the date.
    """
    options: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None}},
        "webp": {"pil_kwargs": {"quality": 82}},
        "pdf": {"metadata": {"CreationDate": None}},
        "png": {},
    }
    _fix_layout(figure)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cloome"}):
        figure.savefig(buffer, format=kind, dpi=dpi or 130, **options[kind])
    data = buffer.getvalue()
    return _NOT_XML.sub(b"", data) if kind == "svg" else data


def _fix_layout(figure: Figure) -> None:
    """Compute the layout of a figure for good, without the last digits.

    The solver of constrained layouts gives other last digits from process to process. The identifiers in an SVG depend
    on all digits.
    """
    if (engine := figure.get_layout_engine()) is None:
        return
    engine.execute(figure)
    with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # with the engine "none", each file would be drawn twice
    for axes in figure.axes:
        axes.set_position(tuple(np.round(axes.get_position(original=True).bounds, 9)))

"""Figures as bytes: the same figure gives the same bytes."""

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure


def encode(figure: Figure, kind: str, dpi: int | None = None) -> bytes:
    """A figure as a file of one kind.

    Parameters
    ----------
    figure
        Any.
    kind
        ``svg``, ``webp``, ``png`` or ``pdf``.
    dpi
        Pixels per inch; 130 if not given.
    """
    options: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None}},
        "webp": {"pil_kwargs": {"quality": 82}},
        "pdf": {"metadata": {"CreationDate": None}},
        "png": {},
    }
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cloome"}):
        figure.savefig(buffer, format=kind, dpi=dpi or 130, **options[kind])
    return buffer.getvalue()

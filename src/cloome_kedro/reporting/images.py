"""Encoding of figures. Equal figures give equal bytes."""

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure


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
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cloome"}):
        figure.savefig(buffer, format=kind, dpi=dpi or 130, **options[kind])
    return buffer.getvalue()

"""Readers of the ways in which screens lay out their images, by name.

A reader is a function ``(folder, source) -> table`` with one row per image and the columns plate, well (D08), site
(int), channel (as the files name it), path, and plane: the page of the file, from 0, or missing where the file is one
image. What all layouts have in common is in `cloome_kedro.imaging.index`. A new layout is one module and one line here,
or a function that a module of your own registers by ``LAYOUTS.register``.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.config import Source
from cloome_kedro.registry import Registry

Reader = Callable[[Path, Source], pd.DataFrame]

LAYOUTS: Registry[Reader] = Registry("layout")
LAYOUTS.add("load_data_csv", "cloome_kedro.imaging.layouts.load_data_csv:read")
LAYOUTS.add("opera_phenix", "cloome_kedro.imaging.layouts.opera_phenix:read")
LAYOUTS.add("ome_tiff", "cloome_kedro.imaging.layouts.ome_tiff:read")

_COLUMNS = ["plate", "well", "site", "channel", "path", "plane"]


def read_layout(name: str, folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``, laid out in the way called ``name``.

    Parameters
    ----------
    name
        A name in `LAYOUTS`.
    folder
        Where the images, or the tables that name them, are.
    source
        Its ``files`` and ``plate``, and whatever else the reader asks for.

    Returns
    -------
    plate, well, site, channel, path, plane (Int64)

    Raises
    ------
    ValueError, FileNotFoundError
        If the layout is unknown, or nothing, or something contradictory, is found.
    """
    images = LAYOUTS[name](folder, source)
    if missing := [column for column in _COLUMNS[:-1] if column not in images]:
        raise ValueError(f"the layout {name} gives no column {', '.join(missing)}")
    if "plane" not in images:
        images = images.assign(plane=None)
    return images[_COLUMNS].astype({"plane": "Int64"})

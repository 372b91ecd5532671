"""Readers of the ways in which screens lay out their images, by name.

A reader is a function ``(folder, files, plate) -> table`` with one row an image file and the columns plate, well
(D08), site (int), channel (as the files name it) and path. What is common to all of them is in
`cloome_kedro.imaging.index`. A new layout is one module here and one line in `LAYOUTS`.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.layouts import load_data_csv, opera_phenix

Reader = Callable[[Path, str | None, str | None], pd.DataFrame]

LAYOUTS: dict[str, Reader] = {
    "load_data_csv": load_data_csv.read,
    "opera_phenix": opera_phenix.read,
}


def read_layout(name: str, folder: Path, files: str | None = None, plate: str | None = None) -> pd.DataFrame:
    """List the images below ``folder``, laid out in the way called ``name``.

    Parameters
    ----------
    name
        A key of `LAYOUTS`.
    folder
        Where the images, or the tables that name them, are.
    files
        Glob pattern, relative to ``folder``, of the files to look at; None: the reader's own.
    plate
        Name of the plate where the files do not say it.

    Raises
    ------
    ValueError, FileNotFoundError
        If the layout is unknown, or nothing, or something contradictory, is found.
    """
    if name not in LAYOUTS:
        raise ValueError(f"layout {name!r} is unknown; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name](folder, files, plate)

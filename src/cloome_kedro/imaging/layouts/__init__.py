"""Layouts: readers that list the images of a source.

A reader is a function ``(folder, source) -> table`` with one row per image. The columns are plate, well (D08), site
(int), channel (its name in the files), path, plane, z, time and reason. ``plane`` is the number of the image in the
file, from 0, or missing if the file has only one image, see `cloome_kedro.imaging.readers`. ``z`` and ``time`` are the
numbers of the plane of a stack and of the time point, as in the files. ``reason`` says why a row cannot be used, and is
null elsewhere; plate, well and site are then as they are written. A reader can leave out the last four columns.
`cloome_kedro.imaging.index` does the work that all layouts have in common. A built-in layout is one module and one line
here. Other modules register a layout by ``LAYOUTS.register``. A module of a layout can also have a function
``recognise``, see `cloome_kedro.imaging.layouts.recognition`.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.sources import Source
from cloome_kedro.registry import Registry

Reader = Callable[[Path, Source], pd.DataFrame]

LAYOUTS: Registry[Reader] = Registry("layout")
LAYOUTS.add("load_data_csv", "cloome_kedro.imaging.layouts.load_data_csv:read")
LAYOUTS.add("opera_phenix", "cloome_kedro.imaging.layouts.opera_phenix:read")
LAYOUTS.add("imagexpress", "cloome_kedro.imaging.layouts.imagexpress:read")
LAYOUTS.add("zip_per_channel", "cloome_kedro.imaging.layouts.zip_per_channel:read")
LAYOUTS.add("pattern", "cloome_kedro.imaging.layouts.pattern:read")
LAYOUTS.add("npz", "cloome_kedro.imaging.layouts.npz:read")
LAYOUTS.add("ome_tiff", "cloome_kedro.imaging.layouts.ome_tiff:read")
LAYOUTS.add("ome_zarr", "cloome_kedro.imaging.layouts.ome_zarr:read")
LAYOUTS.add("bioio", "cloome_kedro.imaging.layouts.bioio_files:read")

_COLUMNS = ["plate", "well", "site", "channel", "path"]
_OPTIONAL = ["plane", "z", "time", "reason"]


def read_layout(name: str, folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``, which has the layout ``name``.

    Parameters
    ----------
    name
        A name in `LAYOUTS`.
    folder
        Folder of the images, or of the tables that list them.
    source
        Settings of the source, such as ``files`` and ``plate``.

    Returns
    -------
    Table with the columns plate, well, site, channel, path, plane, z and time (Int64), and reason, one row per image.
    Sites are int if all rows can be used.

    Raises
    ------
    ValueError, FileNotFoundError
        If the layout is unknown, no image is listed, or files contradict each other.
    """
    images = LAYOUTS[name](folder, source)
    if missing := [column for column in _COLUMNS if column not in images]:
        raise ValueError(f"the layout {name} returns no column {', '.join(missing)}; add it to the reader's table")
    images = images.assign(**{column: None for column in _OPTIONAL if column not in images})
    if images["reason"].isna().all():
        images = images.astype({"site": int})
    return images[[*_COLUMNS, *_OPTIONAL]].astype({"plane": "Int64", "z": "Int64", "time": "Int64"})

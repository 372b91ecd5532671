"""Images that the Opera Phenix (Harmony) exports, such as ``r04c08f05p01-ch1sk1fk1fl1.tiff``.

The name of a file gives row, column, field, plane and channel. The name of the folder gives the plate. Channels are
numbers, so a source of this layout needs a channel map.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import well_name

_NAME = re.compile(
    r"r(?P<row>\d+)c(?P<column>\d+)f(?P<site>\d+)(?P<plane>p\d+)-ch(?P<channel>\d+)(?P<time>(sk\d+)?(fk\d+)?(fl\d+)?)"
    r"\.(tiff?|png)",
    re.IGNORECASE,
)
_MEASUREMENT = re.compile(r"__\d{4}-\d\d-\d\dT.*$")  # Harmony appends the time of the measurement to the plate's name


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    rows = []
    planes = set()
    for path in sorted(folder.glob(source.files) if source.files else _walk(folder)):
        if not (match := _NAME.fullmatch(path.name)):
            continue
        planes.add((match["plane"].lower(), match["time"].lower()))
        well = well_name(int(match["row"]), int(match["column"]))
        channel = str(int(match["channel"]))
        rows.append((source.plate or _plate(path), well, int(match["site"]), channel, str(path)))
    if not rows:
        raise FileNotFoundError(
            f"there is no image named like r04c08f05p01-ch1sk1fk1fl1.tiff below {folder}; "
            "correct `folder` or `files` of this source"
        )
    if len(planes) > 1:
        names = ", ".join("-".join(filter(None, plane)) for plane in sorted(planes))
        raise ValueError(
            f"{folder} has images of several planes or time points ({names}); choose one by `files` of this source, "
            'e.g. files: "**/*p01-*sk1*"'
        )
    return pd.DataFrame(rows, columns=["plate", "well", "site", "channel", "path"])


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _plate(path: Path) -> str:
    folder = path.parent.parent if path.parent.name.lower() == "images" else path.parent
    return _MEASUREMENT.sub("", folder.name)

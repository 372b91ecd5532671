"""Images that the Opera Phenix (Harmony) exports, such as ``r04c08f05p01-ch1sk1fk1fl1.tiff``.

The name of a file gives row, column, field, plane and channel, and the time point (``sk``). The name of the folder
gives the plate. Channels are numbers, so a source of this layout needs a channel map.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.layouts.listing import list_files
from cloome_kedro.imaging.layouts.recognition import Recognised, match_names, propose_axes
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import well_name

_NAME = re.compile(
    r"r(?P<row>\d+)c(?P<column>\d+)f(?P<site>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)(sk(?P<time>\d+))?"
    r"(?P<fast>(fk\d+)?(fl\d+)?)\.(tiff?|png)",
    re.IGNORECASE,
)
_MEASUREMENT = re.compile(r"__\d{4}-\d\d-\d\dT.*$")  # Harmony appends the time of the measurement to the plate's name


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    rows = []
    fast = set()
    for path in list_files(folder, source.files):
        if not (match := _NAME.fullmatch(path.name)):
            continue
        fast.add(match["fast"].lower())
        well = well_name(int(match["row"]), int(match["column"]))
        channel = str(int(match["channel"]))
        time = int(match["time"]) if match["time"] else None
        plate = source.plate or _plate(path)
        rows.append((plate, well, int(match["site"]), channel, str(path), int(match["z"]), time))
    if not rows:
        raise FileNotFoundError(
            f"there is no image named like r04c08f05p01-ch1sk1fk1fl1.tiff below {folder}; "
            "correct `folder` or `files` of this source"
        )
    if len(fast) > 1:
        raise ValueError(
            f"{folder} has images of fast series or fluorescence lifetimes ({', '.join(sorted(fast))}); choose one by "
            f'`files` of this source, e.g. files: "**/*{min(fast)}.*"'
        )
    return pd.DataFrame(rows, columns=["plate", "well", "site", "channel", "path", "z", "time"])


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise the layout, see `cloome_kedro.imaging.layouts.recognition`."""
    if not (matches := match_names(_NAME, names)):
        return None
    settings, notes = propose_axes(
        z=[int(match["z"]) for _, match in matches], time=[int(match["time"] or 0) for _, match in matches]
    )
    return Recognised("opera_phenix", len(matches), settings, matches[0][0], notes)


def _plate(path: Path) -> str:
    folder = path.parent.parent if path.parent.name.lower() == "images" else path.parent
    return _MEASUREMENT.sub("", folder.name)

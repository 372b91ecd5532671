"""Images of the published preprocessing: one file per field, such as ``24277-B02-1.npz`` (plate, well, site).

The array ``sample`` of a file is (H, W, 5) uint8, with the channels Mito, ER, RNA, AGP and DNA. The images are scaled
to 8 bits already, so a source of this layout needs ``bit_depth: 8``. Images of 8 bits are never scaled.

Source: https://github.com/ml-jku/cloome
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.layouts.recognition import Recognised, match_names
from cloome_kedro.imaging.sources import Source

_FILES = "**/*.npz"
_NAME = re.compile(r"(?P<plate>.+)-(?P<well>[A-Z]{1,2}\d{1,3})-(?P<site>\d{1,6})\.npz", re.IGNORECASE)


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the channels of all files below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    if source.bit_depth != 8:
        raise ValueError(
            f"source {source.name}: images of the layout npz are scaled to 8 bits already; set bit_depth: 8, not "
            f"{source.bit_depth}"
        )
    named = [
        (path, match) for path in list_files(folder, source.files or _FILES) if (match := _NAME.fullmatch(path.name))
    ]
    if not named:
        raise FileNotFoundError(
            f"there is no file named like PLATE-B02-1.npz below {folder}; correct `folder` or `files` of this source"
        )
    rows = [
        (source.plate or match["plate"], match["well"], int(match["site"]), str(path), channel, plane)
        for path, match in named
        for plane, channel in enumerate(CHANNELS)
    ]
    return check_names(pd.DataFrame(rows, columns=["plate", "well", "site", "path", "channel", "plane"]))


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise the layout, see `cloome_kedro.imaging.layouts.recognition`."""
    if not (matches := match_names(_NAME, names)):
        return None
    note = "the images are scaled to 8 bits already, and are not scaled again"
    return Recognised("npz", len(matches), {"bit_depth": 8}, matches[0][0], (note,))

"""Images that ImageXpress microscopes (MetaXpress) export, such as ``PLATE_B02_s1_w1<UUID>.tif``.

The name of a file gives the plate, well, site (1 if there is none) and wavelength. Without a plate in the name, the
plate has the name of the folder. ``plate`` of the source overrides both. Folders ``TimePoint_2`` and ``ZStep_3`` give
time point and plane. Thumbnails (``_thumb``) are left out. Channels are called w1, w2 and so on, so a source of this
layout needs a channel map. The publication has w1 Hoechst, w2 ERSyto, w3 ERSytoBleed, w4 Ph_golgi and w5 Mito.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.layouts.recognition import Recognised, propose_axes
from cloome_kedro.imaging.sources import Source
from cloome_kedro.words import counted

logger = logging.getLogger(__name__)

_NAME = re.compile(
    r"(?:(?P<plate>.+?)_)??(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d{1,6}))?_w(?P<channel>\d{1,3})(?P<thumb>_thumb)?"
    r"(?:[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12})?\.(?:tiff?|png)",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"(?P<axis>TimePoint|ZStep)_(?P<number>\d{1,6})", re.IGNORECASE)
#: the channels of the publication
PUBLISHED = {"w1": "DNA", "w2": "ER", "w3": "RNA", "w4": "AGP", "w5": "Mito"}


class Named(NamedTuple):
    """What the name of a file says. The plate is empty if neither the name nor a folder gives it."""

    plate: str
    well: str
    site: int
    channel: str
    z: int | None
    time: int | None
    thumbnail: bool


def parse(name: str) -> Named | None:
    """Parse a relative path with ``/`` between folders; None if it is not a name of this layout.

    >>> parse("P1/TimePoint_1/ZStep_2/P1_b02_s3_w4A7E30BDC-7D5B-4F7E-8A5A-0123456789AB.tif")
    Named(plate='P1', well='b02', site=3, channel='w4', z=2, time=1, thumbnail=False)
    """
    *folders, file = name.split("/")
    if file.startswith("._") or not (match := _NAME.fullmatch(file)):  # macOS writes ._NAME beside copies
        return None
    axes: dict[str, int] = {}
    others = [""]
    for folder in folders:
        if found := _FOLDER.fullmatch(folder):
            axes[found["axis"].lower()] = int(found["number"])
        else:
            others.append(folder)
    return Named(
        match["plate"] or others[-1],
        match["well"],
        int(match["site"] or 1),
        f"w{int(match['channel'])}",
        axes.get("zstep"),
        axes.get("timepoint"),
        bool(match["thumb"]),
    )


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    rows = []
    thumbnails = 0
    for path in list_files(folder, source.files):
        if not (named := parse(path.relative_to(folder).as_posix())):
            continue
        if named.thumbnail:
            thumbnails += 1
            continue
        rows.append((*named[:-1], str(path)))
    if not rows:
        raise FileNotFoundError(
            f"there is no image named like PLATE_B02_s1_w1.tif below {folder}; correct `folder` or `files` of this "
            "source"
        )
    if thumbnails:
        logger.info("source %s: %d thumbnails are left out", source.name, thumbnails)
    table = pd.DataFrame(rows, columns=["plate", "well", "site", "channel", "z", "time", "path"])
    table["plate"] = source.plate or table["plate"].where(table["plate"] != "", folder.name)
    return check_names(table)


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise the layout, see `cloome_kedro.imaging.layouts.recognition`. It explains thumbnails, too."""
    parsed = [(name, named) for name in names if (named := parse(name))]
    images = [(name, named) for name, named in parsed if not named.thumbnail]
    if not images:
        return None
    settings, notes = propose_axes(
        z=[-1 if named.z is None else named.z for _, named in images],
        time=[-1 if named.time is None else named.time for _, named in images],
    )
    if thumbnails := len(parsed) - len(images):
        notes += (f"left out: {counted(thumbnails, 'thumbnail')}",)
    if {named.channel for _, named in images} == set(PUBLISHED):
        settings |= {"channels": dict(PUBLISHED)}
    return Recognised("imagexpress", len(parsed), settings, images[0][0], notes)

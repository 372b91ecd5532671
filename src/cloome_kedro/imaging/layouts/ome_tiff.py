"""OME-TIFF files: one file per field, such as ``<plate>/B02_s1.ome.tiff``, or one per field and channel.

The name of a file gives well and site: ``B02_s1``, ``B02_f1`` or ``B02_1``. It can begin with the name of the plate, as
in ``24277_B02_s1.ome.tiff``. Otherwise the plate has the name of the folder. ``plate`` of the source overrides both. A
name can end with the channel, as in ``B02_s1_DNA.ome.tiff`` or ``B02_s1_w1.ome.tiff``.

The OME metadata of the first readable file of each plate, and of each channel in the names, say which channel, z and
time each page is. ``z`` and ``time`` count from 0. If names of channels are missing or not unique, channels are numbers
from 1 in the order of the metadata, and the source needs a channel map. The channel of a file with one channel is the
one in its name, if this is a known channel. Otherwise it is the one in the metadata.

Format: https://ome-model.readthedocs.io/en/stable/ome-tiff/specification.html
"""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import canonical
from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.layouts.recognition import Recognised, match_names
from cloome_kedro.imaging.ome_xml import OmePages, read_ome_pages
from cloome_kedro.imaging.sources import Source

logger = logging.getLogger(__name__)

_FILES = "**/*.ome.tif*"
#: regular expression of names such as B02_s1 and 24277_B02_s1
FIELD_NAME = r"(?:(?P<plate>.+)[_\-])?(?P<well>[A-Z]{1,2}\d{1,3})[_\-][sf]?(?P<site>\d{1,9})"
_NAME = re.compile(FIELD_NAME + r"(?:[_\-](?P<channel>[^.]+))?\.ome\.tiff?", re.IGNORECASE)
_FIELD = ["plate", "well", "site"]


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the pages of all files below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    files = source.files or _FILES
    named_files = [(path, match) for path in list_files(folder, files) if (match := _NAME.fullmatch(path.name))]
    if not named_files:
        raise FileNotFoundError(
            f"there is no file {files} named like B02_s1.ome.tiff below {folder}; correct `folder` or `files` of this "
            "source"
        )
    table = pd.DataFrame(
        {
            "plate": [source.plate or match["plate"] or path.parent.name for path, match in named_files],
            "well": [match["well"] for _, match in named_files],
            "site": [int(match["site"]) for _, match in named_files],
            "suffix": [match["channel"] or "" for _, match in named_files],
            "path": [path for path, _ in named_files],
        }
    )
    table = check_names(table)
    rows = [row for _, group in table.groupby(["plate", "suffix"]) for row in _rows(group, source)]
    columns = [*_FIELD, "channel", "path", "plane", "z", "time", "reason"]
    return pd.DataFrame(rows, columns=columns).sort_values([*_FIELD, "path", "plane"], ignore_index=True)


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise OME-TIFFs by names such as ``B02_s1.ome.tiff``."""
    matches = match_names(_NAME, names)
    if not matches:
        return None
    channels = sorted({match["channel"] for _, match in matches if match["channel"]})
    notes = (f"the names of the files end with {', '.join(channels[:8])}, which is taken as the channel",)
    return Recognised("ome_tiff", len(matches), example=matches[0][0], notes=notes if channels else ())


def _rows(files: pd.DataFrame, source: Source) -> Iterator[tuple]:
    """Rows of the files of a plate whose names end with the same channel, or with none."""
    pages = _first_pages(files["path"])
    # Files without a channel in their names can be one per channel in different folders.
    of_each = pages.sizes["C"] == 1 and not files["suffix"].iloc[0] and files.duplicated(_FIELD).any()
    for plate, well, site, suffix, path, reason in files.itertuples(index=False):
        if of_each:
            try:
                pages = read_ome_pages(path)
            except ValueError as error:
                logger.warning(
                    "left out, so that a channel of %s %s, site %d, is missing: %s", plate, well, site, error
                )
                continue
        names = _channels(pages, suffix, source)
        for page, (channel, z, time) in enumerate(pages.positions):
            yield plate, well, site, names[channel], str(path), page, z, time, reason


def _first_pages(paths: pd.Series) -> OmePages:
    """What the pages of the first readable file are.

    Raises
    ------
    ValueError
        If none of the files can be used. The message is that of the first.
    """
    errors = []
    for path in paths:
        try:
            pages = read_ome_pages(path)
        except ValueError as error:
            errors.append(error)
            continue
        if errors:
            logger.warning("%d OME-TIFFs are passed over for the metadata of their plate: %s", len(errors), errors[0])
        return pages
    raise errors[0]


def _channels(pages: OmePages, suffix: str, source: Source) -> list[str]:
    """Name of each channel of a file."""
    number = pages.sizes["C"]
    if number == 1 and suffix and (canonical(suffix, source.channels) or not pages.channels):
        return [suffix]
    return pages.channels or [str(i) for i in range(1, number + 1)]

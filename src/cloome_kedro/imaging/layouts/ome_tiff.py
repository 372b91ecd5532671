"""OME-TIFF files: one file per field, one page per channel, such as ``<plate>/B02_s1.ome.tiff``.

The name of a file gives well and site: ``B02_s1``, ``B02_f1`` or ``B02_1``. It can begin with the name of the plate, as
in ``24277_B02_s1.ome.tiff``. Otherwise the plate has the name of the folder. ``plate`` of the source overrides both.
The names of the channels are read from the OME metadata of the first file of each plate. If names are missing or not
unique, channels are numbers from 1 in the order of the pages, and the source needs a channel map.

Format: https://ome-model.readthedocs.io/en/stable/ome-tiff/specification.html
"""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import tifffile

from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import canonical_wells

_FILES = "**/*.ome.tif*"
_NAME = re.compile(
    r"(?:(?P<plate>.+)[_\-])?(?P<well>[A-Z]{1,2}\d{1,3})[_\-][sf]?(?P<site>\d+)\.ome\.tiff?", re.IGNORECASE
)


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the pages of all files below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    files = source.files or _FILES
    named_files = [(path, match) for path in sorted(folder.glob(files)) if (match := _NAME.fullmatch(path.name))]
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
            "path": [str(path) for path, _ in named_files],
        }
    )
    table["well"] = canonical_wells(table["well"], folder)
    plate_channels = {str(plate): _channels(Path(paths.iloc[0])) for plate, paths in table.groupby("plate")["path"]}
    channels = table["plate"].map(plate_channels)
    table = table.assign(channel=channels, plane=channels.map(lambda names: list(range(len(names)))))
    return table.explode(["channel", "plane"], ignore_index=True)


def _channels(path: Path) -> list[str]:
    """Name of the channel of each page of a file, or the number of the page, from 1.

    Raises
    ------
    ValueError
        If the file is not an OME-TIFF, or has several planes or time points.
    """
    try:
        with tifffile.TiffFile(path) as file:
            metadata, pages = file.ome_metadata, len(file.pages)
        pixels = None if metadata is None else ElementTree.fromstring(metadata).find(".//{*}Pixels")
    except Exception as error:  # tifffile and the XML parser raise many types of exceptions for a bad file
        raise ValueError(f"{path} cannot be read as an OME-TIFF: {error}") from error
    if pixels is None:
        raise ValueError(f"{path} has no OME metadata, so it is not an OME-TIFF; correct `files` of this source")
    sizes = {axis: int(pixels.get(f"Size{axis}", 1)) for axis in "CZT"}
    if sizes["Z"] > 1 or sizes["T"] > 1 or sizes["C"] != pages:
        raise ValueError(
            f"{path} has {pages} pages: {sizes['C']} channels, {sizes['Z']} planes and {sizes['T']} time points. "
            "It must have one page per channel"
        )
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    if len(names) != pages or not all(names) or len(set(names)) < pages:
        return [str(number) for number in range(1, pages + 1)]
    return [str(name) for name in names]

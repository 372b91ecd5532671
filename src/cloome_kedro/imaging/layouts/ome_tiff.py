"""One OME-TIFF for each field, with one page for each channel: ``<plate>/B02_s1.ome.tiff``.

Well and site are in the name, as ``B02_s1``, ``B02_f1`` or ``B02_1``; what comes before them, if anything, is the
plate, as in ``24277_B02_s1.ome.tiff``. Otherwise the plate is the folder, or what the source says. Channels have the
names that the OME metadata of the plate's first file give them. Where it gives none, channels are numbers from 1 in the
order of the pages, and the source needs a channel map.

Format: https://ome-model.readthedocs.io/en/stable/ome-tiff/specification.html
"""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import tifffile

from cloome_kedro.imaging.config import Source
from cloome_kedro.imaging.wells import canonical_wells

_FILES = "**/*.ome.tif*"
_NAME = re.compile(
    r"(?:(?P<plate>.+)[_\-])?(?P<well>[A-Z]{1,2}\d{1,3})[_\-][sf]?(?P<site>\d+)\.ome\.tiff?", re.IGNORECASE
)


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the pages of all files below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    files = source.files or _FILES
    found = [(path, match) for path in sorted(folder.glob(files)) if (match := _NAME.fullmatch(path.name))]
    if not found:
        raise FileNotFoundError(
            f"no file {files} named like B02_s1.ome.tiff below {folder}; correct `folder` or `files` of this source"
        )
    table = pd.DataFrame(
        {
            "plate": [source.plate or match["plate"] or path.parent.name for path, match in found],
            "well": [match["well"] for _, match in found],
            "site": [int(match["site"]) for _, match in found],
            "path": [str(path) for path, _ in found],
        }
    )
    table["well"] = canonical_wells(table["well"], folder)
    channels = {str(plate): _channels(Path(paths.iloc[0])) for plate, paths in table.groupby("plate")["path"]}
    pages = table["plate"].map(channels)
    table = table.assign(channel=pages, plane=pages.map(lambda names: list(range(len(names)))))
    return table.explode(["channel", "plane"], ignore_index=True)


def _channels(path: Path) -> list[str]:
    """Name of each page of a file: that of its channel, or its number from 1.

    Raises
    ------
    ValueError
        If the file is not an OME-TIFF, or has several planes or time points.
    """
    try:
        with tifffile.TiffFile(path) as file:
            metadata, pages = file.ome_metadata, len(file.pages)
        pixels = None if metadata is None else ElementTree.fromstring(metadata).find(".//{*}Pixels")
    except Exception as error:  # readers raise many types; in each case the file is at fault
        raise ValueError(f"{path} cannot be read as an OME-TIFF: {error}") from error
    if pixels is None:
        raise ValueError(f"{path} has no OME metadata: it is not an OME-TIFF")
    sizes = {axis: int(pixels.get(f"Size{axis}", 1)) for axis in "CZT"}
    if sizes["Z"] > 1 or sizes["T"] > 1 or sizes["C"] != pages:
        raise ValueError(
            f"{path} has {pages} pages of {sizes['C']} channels, {sizes['Z']} planes and {sizes['T']} time points: "
            "one page for each channel is needed"
        )
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    if len(names) != pages or not all(names) or len(set(names)) < pages:
        return [str(number) for number in range(1, pages + 1)]
    return [str(name) for name in names]

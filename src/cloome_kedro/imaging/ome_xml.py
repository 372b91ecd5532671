"""OME metadata of a TIFF: names of channels, and the page of each channel, z and time.

Format: https://ome-model.readthedocs.io/en/stable/ome-tiff/specification.html
"""

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import tifffile

#: characters of the largest metadata that are read
_LARGEST = 64 << 20
_ORDERS = {"CZT", "CTZ", "ZCT", "ZTC", "TCZ", "TZC"}


@dataclass(frozen=True)
class OmePages:
    """What the pages of an OME-TIFF are.

    Attributes
    ----------
    channels
        Names of the channels. None: names are missing or not unique.
    sizes
        Number of channels (C), of z (Z) and of time points (T).
    positions
        Channel, z and time of each page, from 0, in the order of the pages.
    """

    channels: list[str] | None
    sizes: dict[str, int]
    positions: list[tuple[int, int, int]]


def read_ome_pages(path: Path) -> OmePages:
    """Read the OME metadata of a TIFF.

    Raises
    ------
    ValueError
        If the file is not an OME-TIFF, if its metadata are broken or do not fit its pages, or if pages are in other
        files.
    """
    try:
        with tifffile.TiffFile(path) as file:
            text, pages = file.ome_metadata, len(file.pages)
        if text is not None:
            _check_text(text)
        root = None if text is None else ElementTree.fromstring(text)
    except Exception as error:  # tifffile and the XML parser raise many types of exceptions for a bad file
        raise ValueError(f"{path} cannot be read as an OME-TIFF: {error}") from error
    images = [] if root is None else root.findall(".//{*}Pixels")
    if root is None or not images:
        raise ValueError(f"{path} has no OME metadata, so it is not an OME-TIFF; correct `files` of this source")
    if len(images) > 1:
        raise ValueError(f"{path} has {len(images)} images; each field must be in a file of its own")
    try:
        return _pages(images[0], root.get("UUID"), path, pages)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _check_text(text: str) -> None:
    """Raise ValueError for metadata that could fill the memory when they are parsed."""
    if len(text) > _LARGEST:
        raise ValueError(f"its OME metadata have {len(text):,} characters, at most {_LARGEST:,} are read")
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise ValueError("its OME metadata define a document type or entities, which are not read")


def _pages(pixels: ElementTree.Element, uuid: str | None, path: Path, pages: int) -> OmePages:
    sizes = {axis: int(pixels.get(f"Size{axis}", 1)) for axis in "CZT"}
    order = pixels.get("DimensionOrder", "XYCZT").upper()
    if order[:2] != "XY" or order[2:] not in _ORDERS:
        raise ValueError(f"its OME metadata have the DimensionOrder {order}; it should be XYCZT or another order")
    total = math.prod(sizes.values())
    if min(sizes.values()) < 1 or total != pages:
        _check_own_file(pixels, uuid, path)
        raise ValueError(
            f"it has {pages} pages, but its OME metadata describe {sizes['C']} channels, {sizes['Z']} z and "
            f"{sizes['T']} time points"
        )
    _check_own_file(pixels, uuid, path)
    positions: list[tuple[int, int, int] | None] = [None] * pages
    strides = {axis: math.prod(sizes[faster] for faster in order[2 : 2 + i]) for i, axis in enumerate(order[2:])}
    for first_page, first, count in _parts(pixels, sizes, strides):
        if first_page < 0 or first_page + count > pages or first + count > total:
            raise ValueError("its OME metadata describe pages that it does not have")
        for i in range(count):
            c, z, t = ((first + i) // strides[axis] % sizes[axis] for axis in "CZT")
            positions[first_page + i] = (c, z, t)
    known = [position for position in positions if position is not None]
    if len(set(known)) < pages:
        raise ValueError("its OME metadata do not say which channel, z and time each page is")
    return OmePages(_names(pixels, sizes["C"]), sizes, known)


def _check_own_file(pixels: ElementTree.Element, uuid: str | None, path: Path) -> None:
    """Raise ValueError if a page is in another file. A file that was renamed has its own UUID."""
    for place in pixels.findall("{*}TiffData/{*}UUID"):
        other = place.get("FileName")
        if other and other != path.name and (uuid is None or place.text != uuid):
            raise ValueError(
                f"its OME metadata say that pages are in another file, {other}. Sets of several OME-TIFFs are not "
                "read: save one file per field or per channel, or use another layout, such as `pattern`"
            )


def _parts(pixels: ElementTree.Element, sizes: dict[str, int], strides: dict[str, int]) -> list[tuple[int, int, int]]:
    """First page, number of its position in the DimensionOrder, and number of pages of each element TiffData."""
    parts = []
    total = math.prod(sizes.values())
    for element in pixels.findall("{*}TiffData") or [ElementTree.Element("TiffData")]:
        places = {axis: int(element.get(f"First{axis}", 0)) for axis in "CZT"}
        if any(not 0 <= places[axis] < sizes[axis] for axis in "CZT"):
            raise ValueError("its OME metadata describe pages that it does not have")
        first = sum(places[axis] * strides[axis] for axis in "CZT")
        count = element.get("PlaneCount", 1 if "IFD" in element.attrib else total)
        parts.append((int(element.get("IFD", 0)), first, int(count)))
    return parts


def _names(pixels: ElementTree.Element, channels: int) -> list[str] | None:
    names = [str(channel.get("Name") or "").strip() for channel in pixels.findall("{*}Channel")]
    return names if len(names) == channels and all(names) and len(set(names)) == channels else None

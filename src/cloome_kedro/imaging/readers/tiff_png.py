"""TIFF and PNG, decoded by libtiff and libpng."""

import io
import math
import os
import struct
from collections.abc import Iterator, Sequence

import imagecodecs
import numpy.typing as npt
import tifffile

from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Reader, read_bytes

#: first bytes of files: a PNG; TIFFs and BigTIFFs in both byte orders
_PNG, _TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: tags of a TIFF: width, height, bits per sample, samples per pixel; then those of tiles and volumes
_SIZE_TAGS = (256, 257, 258, 277, 322, 323, 32997, 32998)
_SHORT, _LONG = 3, 4  # types of tags


def read(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read pages of a TIFF, or a PNG; see `cloome_kedro.imaging.readers.base.Reader`."""
    name = os.path.basename(path)
    suffix = check_suffix(name)
    data = read_bytes(path)
    for plane in planes:
        yield decode(name, data, plane, suffix)


READER = Reader(read)


def check_suffix(name: str) -> str:
    """Return the suffix in lower case; `BadField` if it is neither that of a TIFF nor that of a PNG."""
    if (suffix := os.path.splitext(name)[1].lower()) not in (".tif", ".tiff", ".png"):
        raise BadField(f"{name} is neither TIFF nor PNG")
    return suffix


def decode_image(name: str, data: bytes, largest: int = LARGEST_IMAGE) -> npt.NDArray:
    """Decode the bytes of a TIFF or PNG. The first bytes say which of the two they are, not the name.

    Parameters
    ----------
    name
        Name of the file, for errors.
    data
        Content of the file.
    largest
        Bytes of the largest image that is decoded.

    Raises
    ------
    BadField
        If the data are neither TIFF nor PNG, cannot be decoded, or if their images are too large.
    """
    suffix = ".png" if data.startswith(_PNG) else ".tif" if data.startswith(_TIFF) else ""
    if not suffix:
        raise BadField(f"{name} is neither TIFF nor PNG")
    return decode(name, data, None, suffix, largest)


def decode(name: str, data: bytes, plane: int | None, suffix: str, largest: int = LARGEST_IMAGE) -> npt.NDArray:
    """Decode one page of a TIFF (None: all pages), or a PNG.

    Raises
    ------
    BadField
        If the data cannot be decoded, do not have this page, or if their images are too large.
    """
    if suffix == ".png" and plane is not None:
        raise BadField(f"{name} is a PNG, which has no page {plane}")
    try:
        size = _png_bytes(data) if suffix == ".png" else _tiff_bytes(data, plane)
        if size > largest:
            raise BadField(f"{name} is too large: its images have {size:,} bytes, at most {largest:,} are read")
        # libtiff reports a truncated strip; lenient readers fill it with zeros
        return imagecodecs.png_decode(data) if suffix == ".png" else imagecodecs.tiff_decode(data, index=plane)
    except BadField:
        raise
    except Exception as error:  # decoders raise many types of exceptions for a bad file
        where = "" if plane is None else f", page {plane},"
        if "not implemented" in str(error) and suffix != ".png":
            raise BadField(
                f"{name}{where} has the compression {_compression(data, plane)}, which cannot be read. Save it without "
                "compression, or with LZW, deflate or zstd"
            ) from error
        raise BadField(f"{name}{where} is unreadable or truncated: {error}") from error


def _compression(data: bytes, plane: int | None) -> str:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        compression = file.pages[plane or 0].aspage().compression
    return getattr(compression, "name", str(compression))


def _png_bytes(data: bytes) -> int:
    """Bytes of the image of a PNG, by its header."""
    width, height, bits, colour = struct.unpack(">8x4x4xIIBB", data[:26])
    return width * height * max(1, bits // 8) * (4 if colour else 1)


def _tiff_bytes(data: bytes, plane: int | None) -> int:
    """Bytes of a page of a TIFF, or of all pages, by the header; for a page in tiles, at least those of a tile."""
    if (size := _grey_page_bytes(data, plane or 0, is_only=plane is None)) is not None:
        return size
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = len(file.pages) if plane is None else 1
        page = file.pages[plane or 0].aspage()
        values = max(math.prod(page.shape), page.tilewidth * page.tilelength * page.samplesperpixel)
        return pages * values * max(1, page.bitspersample // 8)


def _grey_page_bytes(data: bytes, plane: int, is_only: bool) -> int | None:
    """Bytes of a page of a usual TIFF of grey values in strips; None for any other file, which tifffile reads.

    tifffile takes a millisecond for a header, which is longer than libtiff takes for the image.

    Parameters
    ----------
    data, plane
        Content of the file, and number of the page.
    is_only
        Whether the file must have no other pages.
    """
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8 or struct.unpack_from(f"{order}H", data, 2) != (42,):  # BigTIFF has 43
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        for number in range(plane + 1):
            (entries,) = struct.unpack_from(f"{order}H", data, start)
            (next_start,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * entries)
            if number < plane:
                if not next_start:
                    return None
                start = next_start
        values: dict[int, int] = {}
        for entry in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", data, entry)
            if tag in _SIZE_TAGS:
                if kind not in (_SHORT, _LONG) or count != 1 or tag in values:
                    return None
                (values[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), data, entry + 8)
    except struct.error:
        return None
    width, height, bits, samples, *others = (values.get(tag) for tag in _SIZE_TAGS)
    if (is_only and next_start) or None in (width, height) or samples not in (None, 1) or any(others):
        return None
    return width * height * max(1, (bits or 1) // 8)  # type: ignore[operator]

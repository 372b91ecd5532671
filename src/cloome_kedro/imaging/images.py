"""Images of one field: read and check them, convert them to the stored form, compute their statistics."""

import io
import math
import os
import stat
import struct
from collections.abc import Sequence
from functools import lru_cache

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.intensity import to_uint8

#: file of an image, and its page in the file; None: the file has only this image
Plane = tuple[str, int | None]

#: bytes of the largest image that is decoded: a file of a few megabytes can claim to hold many gigabytes
LARGEST_IMAGE = 1 << 30

#: first bytes of files: a PNG; TIFFs and BigTIFFs in both byte orders
_PNG, _TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class BadField(ValueError):
    """A field cannot be used. The message gives the reason."""


def read_image(path: str, plane: int | None = None) -> npt.NDArray:
    """Read a TIFF or PNG.

    Parameters
    ----------
    path
        The file.
    plane
        Page of a TIFF, from 0. None reads the whole file. Several pages of the same shape then give an array of three
        dimensions.

    Raises
    ------
    BadField
        If the file is missing, is not a regular file, is neither TIFF nor PNG, cannot be decoded, does not have this
        page, or if its images have more than `LARGEST_IMAGE` bytes.
    """
    return _decode(path, _read_bytes(path), plane)


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
    return _decode(name, data, None, suffix, largest)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _read_bytes(path: str) -> bytes:
    name = os.path.basename(path)
    if _suffix(name) not in (".tif", ".tiff", ".png"):
        raise BadField(f"{name} is neither TIFF nor PNG")
    try:
        if stat.S_ISFIFO(mode := os.stat(path).st_mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
            raise BadField(f"{name} is a pipe or a device, not a file")  # reading it could wait or go on for ever
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise BadField(f"{name} does not exist") from error
    except OSError as error:
        raise BadField(f"{name} cannot be read: {error.strerror}") from error


def _decode(
    path: str, data: bytes, plane: int | None, suffix: str | None = None, largest: int = LARGEST_IMAGE
) -> npt.NDArray:
    name = os.path.basename(path)
    suffix = suffix or _suffix(name)
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
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = len(file.pages) if plane is None else 1
        page = file.pages[plane or 0].aspage()
        values = max(math.prod(page.shape), page.tilewidth * page.tilelength * page.samplesperpixel)
        return pages * values * max(1, page.bitspersample // 8)


def read_field(planes: Sequence[Plane], bit_depth: int, shape: tuple[int, int] | None) -> npt.NDArray:
    """Read the five images of a field. A file with several of them is read only once.

    Parameters
    ----------
    planes
        File and page of each channel, in the order of `CHANNELS`.
    bit_depth
        8 (files are uint8), 12 or 16 (files are uint16). With 12, values must not exceed 4095.
    shape
        (H, W) that the images must have. None: all images must have the shape of the first.

    Returns
    -------
    (5, H, W) uint8 or uint16

    Raises
    ------
    BadField
        If an image cannot be read, has a wrong dtype or shape or a value beyond the bit depth, or if all images are
        black.
    """
    expected = np.uint8 if bit_depth == 8 else np.uint16
    images = []
    last_read: dict[str, bytes] = {}
    for channel, (path, plane) in zip(CHANNELS, planes, strict=True):
        try:
            if path not in last_read:
                last_read = {path: _read_bytes(path)}
            image = _decode(path, last_read[path], plane)
        except BadField as error:
            raise BadField(f"channel {channel}: {error}") from error
        name = f"channel {channel}: {os.path.basename(path)}"
        if image.ndim != 2:
            raise BadField(f"{name} has the shape {image.shape}; one plane of two dimensions is needed")
        if image.dtype != expected:
            raise BadField(f"{name} is {image.dtype}, but bit_depth {bit_depth} needs {np.dtype(expected)}")
        if image.shape != (shape := shape or image.shape):
            raise BadField(f"{name} has the shape {image.shape}, but the images of the plate have {shape}")
        if bit_depth == 12 and image.max() > 4095:
            raise BadField(f"{name} has the value {image.max()}, but bit_depth 12 allows at most 4095")
        images.append(image)
    field = np.stack(images)
    if not field.any():
        raise BadField("black field: every pixel of all five channels is 0")
    return field


def usual_shape(planes: Sequence[Plane], samples: int = 5) -> tuple[int, int] | None:
    """Return the most frequent (H, W) of a few images that are spread over ``planes``; None if no image can be read."""
    shapes: list[tuple[int, int]] = []
    # multiples of the golden ratio visit a sequence evenly, also if some images cannot be read
    for i in sorted(range(len(planes)), key=lambda i: i * 0.6180339887498949 % 1):
        try:
            image = read_image(*planes[i])
        except BadField:
            continue
        if image.ndim == 2:
            shapes.append(image.shape)
        if len(shapes) == samples:
            break
    return max(sorted(set(shapes)), key=shapes.count) if shapes else None


def to_stored(
    raw: npt.NDArray, storage: Storage, thresholds: npt.NDArray | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Convert raw images (..., H, W) to their stored form.

    Parameters
    ----------
    raw
        uint8 or uint16.
    storage
        How they are stored.
    thresholds
        See `intensity.to_uint8`.

    Returns
    -------
    images
        (..., h, w) uint8.
    thresholds
        Thresholds that were used, see `intensity.to_uint8`.
    """
    images, used_thresholds = to_uint8(raw, storage.intensity_values, thresholds)
    images = centre_crop(images, storage.crop) if storage.crop else images
    return area_average(images, storage.size) if storage.size else images, used_thresholds


def centre_crop(images: npt.NDArray, side: int) -> npt.NDArray:
    """Cut the central square of ``side`` pixels out of (..., H, W)."""
    top, left = (images.shape[-2] - side) // 2, (images.shape[-1] - side) // 2
    return images[..., top : top + side, left : left + side]


def area_average(images: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Shrink (..., H, W) to ``size`` by area averaging, with halves rounded to even numbers.

    An output pixel is the mean over its rectangle of the image. A source pixel on the edge of the rectangle counts in
    proportion to the part of it that is inside. The weights are whole numbers. So the sums are exact, and all machines
    give the same result.
    """
    (height, width), (new_height, new_width) = images.shape[-2:], size
    # float32 is exact here: a sum is at most 255 x width, and float32 represents whole numbers up to 2**24
    rows = images.astype(np.float32) @ _overlaps(width, new_width).T
    sums = _overlaps(height, new_height).astype(np.float64) @ rows
    return np.rint(sums / (height * width)).astype(np.uint8)


@lru_cache(maxsize=8)
def _overlaps(n: int, m: int) -> npt.NDArray[np.float32]:
    """Overlap of each of n source pixels with each of m output pixels, (m, n), in units of 1/m source pixel."""
    target, source = np.arange(m)[:, None] * n, np.arange(n)[None, :] * m
    overlap = np.minimum(target + n, source + m) - np.maximum(target, source)
    return np.maximum(overlap, 0).astype(np.float32)


def statistics(image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float64]]:
    """Compute statistics of each channel of a stored field, (5, H, W) uint8 -> (5,) float64 each.

    Returns
    -------
    mean, std
        Mean and standard deviation of the 8-bit values.
    focus
        Variance of the Laplacian (Pech-Pacheco et al. 2000, ICPR) divided by the variance of the image. It is low in
        blurred images, and 0 in a constant image. The division makes it independent of brightness.
    """
    values = image.astype(np.int16)  # int16 is enough for the Laplacian, which is from -1020 to 1020
    laplacian = -4 * values[:, 1:-1, 1:-1]
    for rows, columns in ((slice(-2), slice(1, -1)), (slice(2, None), slice(1, -1))):
        laplacian += values[:, rows, columns]
        laplacian += values[:, columns, rows]
    mean, variance = _moments(values)
    _, sharpness = _moments(laplacian)
    focus = np.divide(sharpness, variance, out=np.zeros_like(variance), where=variance > 0)
    return {"mean": mean, "std": np.sqrt(variance), "focus": focus}


def _moments(values: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and variance over (H, W), from exact sums."""
    pixels = values[0].size or 1
    mean = values.sum(axis=(1, 2), dtype=np.int64) / pixels
    square = np.einsum("chw,chw->c", values, values, dtype=np.int64) / pixels
    return mean, np.maximum(square - mean**2, 0)

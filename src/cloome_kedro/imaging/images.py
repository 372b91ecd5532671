"""One field: read and check its images, bring them to the stored size, describe them."""

import os
from collections.abc import Sequence
from functools import lru_cache

import imagecodecs
import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.intensity import to_uint8

#: file of an image, and its page in the file; None: the file holds this image alone
Plane = tuple[str, int | None]


class BadField(ValueError):
    """A field that cannot be used; the message says why."""


def read_image(path: str, plane: int | None = None) -> npt.NDArray:
    """Read a TIFF or PNG.

    Parameters
    ----------
    path
        File.
    plane
        Page of a TIFF, from 0. None reads the whole file; several pages that are alike then give three dimensions.

    Raises
    ------
    BadField
        If the file is missing, of another kind, truncated or not decodable, or has no such page.
    """
    return _decode(path, _bytes(path), plane)


def _kind(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _bytes(path: str) -> bytes:
    name = os.path.basename(path)
    if _kind(name) not in (".tif", ".tiff", ".png"):
        raise BadField(f"{name} is neither TIFF nor PNG")
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise BadField(f"{name} does not exist") from error
    except OSError as error:
        raise BadField(f"{name} cannot be read: {error.strerror}") from error


def _decode(path: str, data: bytes, plane: int | None) -> npt.NDArray:
    name = os.path.basename(path)
    kind = _kind(name)
    if kind == ".png" and plane is not None:
        raise BadField(f"{name} is a PNG, which has no page {plane}")
    try:
        # libtiff reports a truncated strip, where lenient readers fill up with zeros
        return imagecodecs.png_decode(data) if kind == ".png" else imagecodecs.tiff_decode(data, index=plane)
    except Exception as error:  # decoders raise many types; in each case the file is at fault
        where = "" if plane is None else f", page {plane},"
        raise BadField(f"{name}{where} is unreadable or truncated: {error}") from error


def read_field(planes: Sequence[Plane], bit_depth: int, shape: tuple[int, int] | None) -> npt.NDArray:
    """Read the five images of a field. A file that holds several of them is read once.

    Parameters
    ----------
    planes
        File and page of each channel, in the order of `CHANNELS`.
    bit_depth
        8 (files are uint8), 12 or 16 (files are uint16; 12 means that no value exceeds 4095).
    shape
        (H, W) that the images must have; None: that of the first.

    Returns
    -------
    (5, H, W) uint8 or uint16

    Raises
    ------
    BadField
        If an image is unreadable, of another dtype or shape or beyond its bit depth, or if all of them are black.
    """
    expected = np.uint8 if bit_depth == 8 else np.uint16
    images = []
    read: dict[str, bytes] = {}
    for channel, (path, plane) in zip(CHANNELS, planes, strict=True):
        try:
            if path not in read:
                read = {path: _bytes(path)}
            image = _decode(path, read[path], plane)
        except BadField as error:
            raise BadField(f"channel {channel}: {error}") from error
        name = f"channel {channel}: {os.path.basename(path)}"
        if image.ndim != 2:
            raise BadField(f"{name} has the shape {image.shape}; a single plane is needed")
        if image.dtype != expected:
            raise BadField(f"{name} is {image.dtype}, where bit_depth {bit_depth} means {np.dtype(expected)}")
        if image.shape != (shape := shape or image.shape):
            raise BadField(f"{name} has the shape {image.shape}, the plate's is {shape}")
        if bit_depth == 12 and image.max() > 4095:
            raise BadField(f"{name} has the value {image.max()}, beyond bit_depth 12")
        images.append(image)
    field = np.stack(images)
    if not field.any():
        raise BadField("black field: every pixel of all five channels is 0")
    return field


def usual_shape(planes: Sequence[Plane], samples: int = 5) -> tuple[int, int] | None:
    """The commonest (H, W) among a few images spread over ``planes``; None if none of them can be read."""
    shapes: list[tuple[int, int]] = []
    # multiples of the golden ratio visit a sequence evenly, however many of its items turn out to be readable
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
    """Raw images (..., H, W) as they are stored, and the thresholds used (see `intensity.to_uint8`)."""
    images, used = to_uint8(raw, storage.numbers, thresholds)
    images = centre_crop(images, storage.crop) if storage.crop else images
    return area_average(images, storage.size) if storage.size else images, used


def centre_crop(images: npt.NDArray, side: int) -> npt.NDArray:
    """Cut the central square of ``side`` pixels out of (..., H, W)."""
    top, left = (images.shape[-2] - side) // 2, (images.shape[-1] - side) // 2
    return images[..., top : top + side, left : left + side]


def area_average(images: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Shrink (..., H, W) to ``size`` by exact area averaging, rounded half to even.

    An output pixel is the mean over its rectangle; a source pixel on the border counts by the share that is inside.
    Weights are whole numbers, so every sum is exact and the result is the same on any machine.
    """
    (height, width), (to_height, to_width) = images.shape[-2:], size
    # float32 is exact here: a sum is at most 255 x width, and float32 holds whole numbers up to 2**24
    rows = images.astype(np.float32) @ _overlaps(width, to_width).T
    sums = _overlaps(height, to_height).astype(np.float64) @ rows
    return np.rint(sums / (height * width)).astype(np.uint8)


@lru_cache(maxsize=8)
def _overlaps(n: int, m: int) -> npt.NDArray[np.float32]:
    """How much of each of n source pixels is in each of m output pixels, (m, n), in units of 1/m source pixel."""
    target, source = np.arange(m)[:, None] * n, np.arange(n)[None, :] * m
    overlap = np.minimum(target + n, source + m) - np.maximum(target, source)
    return np.maximum(overlap, 0).astype(np.float32)


def statistics(image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float64]]:
    """Describe a stored field, (5, H, W) uint8 -> (5,) each.

    Returns
    -------
    mean, std
        Of the 8-bit values.
    focus
        Variance of the Laplacian divided by that of the image, low where the image is blurred (Pech-Pacheco et al.
        2000, ICPR); 0 for a constant image. Unlike the variance of the Laplacian alone it does not change with
        brightness.
    """
    values = image.astype(np.int16)  # holds the Laplacian too, which is within 4 x 255
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

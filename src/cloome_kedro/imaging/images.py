"""Images of one field: read and check them, convert them to the stored form, compute their statistics."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.intensity import BLOCK, to_uint8
from cloome_kedro.imaging.readers import BadField, Plane, read_image, read_planes, reader_of

#: the image of a channel, or several images whose maximum it is
Planes = Plane | list[Plane]


def empty_field(bit_depth: int, shape: tuple[int, int]) -> npt.NDArray:
    """Allocate the images of a field, (5, *shape) uint8 for ``bit_depth`` 8, otherwise uint16."""
    return np.empty((len(CHANNELS), *shape), _dtype(bit_depth))


def _dtype(bit_depth: int) -> np.dtype:
    return np.dtype(np.uint8 if bit_depth == 8 else np.uint16)


def read_field(
    channels: Sequence[Planes], bit_depth: int, shape: tuple[int, int] | None, out: npt.NDArray | None = None
) -> npt.NDArray:
    """Read the five images of a field. A file with several of them is read only once.

    Parameters
    ----------
    channels
        File and page of each channel, in the order of `CHANNELS`. If it is a list of several, the channel is their
        maximum, pixel by pixel.
    bit_depth
        8 (files are uint8), 12 or 16 (files are uint16). With 12, values must not exceed 4095.
    shape
        (H, W) that the images must have. None: all images must have the shape of the first.
    out
        Result of `empty_field` for ``shape``, which is filled and returned. None: it is allocated.

    Returns
    -------
    (5, H, W) uint8 or uint16

    Raises
    ------
    BadField
        If an image cannot be read, has a wrong dtype or shape or a value beyond the bit depth, or if all images are
        black.
    """
    by_file: dict[str, list[tuple[int, int | None]]] = {}  # channel and page of the images of each file
    for row, planes in zip(range(len(CHANNELS)), channels, strict=True):
        for path, plane in planes if isinstance(planes, list) else [planes]:
            by_file.setdefault(path, []).append((row, plane))
    field = out
    read: set[int] = set()
    for path, wanted in by_file.items():
        arrays = read_planes(path, [plane for _, plane in wanted])
        for row, _ in wanted:
            try:
                image = next(arrays)
                shape = shape or image.shape
                _check(image, reader_of(path).name(path), bit_depth, shape)
            except BadField as error:
                raise BadField(f"channel {CHANNELS[row]}: {error}") from error
            if field is None:
                field = empty_field(bit_depth, shape)
            # copied at once, so that the next image can take the same memory
            field[row] = np.maximum(field[row], image) if row in read else image
            read.add(row)
    assert field is not None
    if not any(image.any() for image in field):
        raise BadField("black field: every pixel of all five channels is 0")
    return field


def _check(image: npt.NDArray, name: str, bit_depth: int, shape: tuple[int, int]) -> None:
    if image.ndim != 2:
        raise BadField(f"{name} has the shape {image.shape}; one plane of two dimensions is needed")
    if image.dtype != (expected := _dtype(bit_depth)):
        raise BadField(f"{name} is {image.dtype}, but bit_depth {bit_depth} needs {expected}")
    if image.shape != shape:
        raise BadField(f"{name} has the shape {image.shape}, but the images of the plate have {shape}")
    if bit_depth == 12 and image.max() > 4095:
        raise BadField(f"{name} has the value {image.max()}, but bit_depth 12 allows at most 4095")


def usual_shape(planes: Sequence[Planes], samples: int = 5) -> tuple[int, int] | None:
    """Return the most frequent (H, W) of a few images that are spread over ``planes``; None if no image can be read."""
    shapes: list[tuple[int, int]] = []
    # multiples of the golden ratio visit a sequence evenly, also if some images cannot be read
    for i in sorted(range(len(planes)), key=lambda i: i * 0.6180339887498949 % 1):
        first = planes[i][0] if isinstance(planes[i], list) else planes[i]
        try:
            image = read_image(*first)
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

    See :func:`area_means`. The sums are exact, so all machines give the same result.
    """
    result = np.empty((*images.shape[:-2], *size), np.uint8)
    for position in np.ndindex(images.shape[:-2]):  # one image at a time, which fits into the cache of a processor
        sums, weight = _area_sums(images[position], size)
        # with these weights float32 has all sums, and rounds no quotient to a half that is none
        dtype = np.float32 if weight <= 2**16 else np.float64
        np.rint(np.divide(sums, weight, dtype=dtype), out=result[position], casting="unsafe")
    return result


def area_means(images: npt.NDArray, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Shrink (..., H, W) to ``size`` by area averaging.

    An output pixel is the mean over its rectangle of the image. A source pixel on the edge of the rectangle counts in
    proportion to the part of it that is inside. The weights are whole numbers. The sums of uint8 and uint16 are exact.
    """
    if images.dtype in (np.uint8, np.uint16):
        sums, weight = _area_sums(images, size)
        return sums / weight
    (height, width), (new_height, new_width) = images.shape[-2:], size
    rows = images.astype(np.float32) @ _overlaps(width, new_width).T
    sums = _overlaps(height, new_height).astype(np.float64) @ rows
    return sums / (height * width)


def _area_sums(images: npt.NDArray[np.unsignedinteger], size: tuple[int, int]) -> tuple[npt.NDArray, int]:
    """Weighted sum of the pixels of each output pixel as a whole number, (..., H, W) -> (..., h, w); sum of weights."""
    largest, weight = int(np.iinfo(images.dtype).max), 1
    for axis, new_length in zip((-2, -1), size, strict=True):
        length = images.shape[axis]
        divisor = math.gcd(length, new_length)
        weight *= length // divisor
        # the smallest type that holds all sums is the fastest
        images = _axis_sums(
            images, axis, length // divisor, new_length // divisor, np.min_scalar_type(largest * weight)
        )
    return images, weight


def _axis_sums(values: npt.NDArray, axis: int, old: int, new: int, dtype: np.dtype) -> npt.NDArray:
    """Shrink an axis, -1 or -2, from multiples of ``old`` to as many multiples of ``new``; both have no common divisor.

    Weights are in units of 1/new source pixel.
    """
    rest: Any = () if axis == -1 else (slice(None),)
    if new == 1:  # each output pixel has whole source pixels
        sums = values[(..., slice(0, None, old), *rest)].astype(dtype)
        for offset in range(1, old):
            sums += values[(..., slice(offset, None, old), *rest)]
        return sums
    length = values.shape[axis]
    targets = np.arange(length // old * new)
    # the first, second, ... source pixel that each output pixel touches
    for number in range(-(-old // new) + 1):
        sources = targets * old // new + number
        overlaps = np.minimum((targets + 1) * old, (sources + 1) * new) - np.maximum(targets * old, sources * new)
        weights = np.maximum(overlaps, 0).astype(dtype).reshape(-1, *[1] * len(rest))
        # sources beyond the end have the weight 0; the mode is several times faster than checking them
        part = np.multiply(np.take(values, sources, axis=axis, mode="clip"), weights, dtype=dtype)
        sums = part if number == 0 else np.add(sums, part, out=sums)
    return sums


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
    height, width = image.shape[1:]
    moments = []
    for channel in image:
        mean, variance = _moments(channel, channel.size)
        moments.append((mean, variance, _moments(_laplacian(channel), (height - 2) * (width - 2))[1]))
    mean, variance, sharpness = np.array(moments).T
    focus = np.divide(sharpness, variance, out=np.zeros_like(variance), where=variance > 0)
    return {"mean": mean, "std": np.sqrt(variance), "focus": focus}


def _laplacian(channel: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Laplacian of the inner rows of a channel, (H, W) -> (H - 2, W), from -1020 to 1020. The outer columns are 0."""
    width, flat = channel.shape[1], channel.ravel().astype(np.int16)
    end = len(flat) - width
    # in one dimension NumPy has one loop for all rows; only in the outer columns are the neighbours of another row
    laplacian = -4 * flat[width:end]
    for start in (0, width - 1, width + 1, 2 * width):
        laplacian += flat[start : start + len(laplacian)]
    laplacian = laplacian.reshape(-1, width)
    laplacian[:, 0] = laplacian[:, -1] = 0
    return laplacian


def _moments(values: npt.NDArray[np.integer], pixels: int) -> tuple[float, float]:
    """Mean and variance of ``pixels`` values from -1020 to 1020, (H, W); further values are 0. The sums are exact."""
    width = values.shape[1]
    # 2048 squares of 1020 have a sum below 2**31, and so have 1020 times the pixels of a block
    dtype = np.int32 if width <= 2048 else np.int64
    total, squares, rows = 0, 0, max(1, BLOCK // width)
    for start in range(0, len(values), rows):
        part: npt.NDArray[np.signedinteger] = values[start : start + rows].astype(dtype)
        total += int(part.sum(dtype=dtype))
        squares += int(np.einsum("ij,ij->i", part, part).sum(dtype=np.int64))
    mean = total / max(pixels, 1)
    return mean, max(squares / max(pixels, 1) - mean**2, 0.0)

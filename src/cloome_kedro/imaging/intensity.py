"""From 12 or 16 bits to 8, as CLOOME was trained (Sanchez-Fernandez et al. 2023, supplement).

The n brightest pixels of a channel are outliers, n = round(pixels x outlier_percent / 100), at least 1. With t the n-th
largest pixel, a pixel becomes ``trunc(min(raw * scale / t, 255))``.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.config import INTENSITIES, Intensity


def outliers(pixels: int, outlier_percent: float) -> int:
    """Number of pixels that are clipped. It is at least 1, or t would be the minimum of a small image."""
    return max(1, round(pixels * outlier_percent / 100))


def nth_largest(histogram: npt.NDArray[np.integer], n: int) -> npt.NDArray[np.int64]:
    """The n-th largest value of each histogram, (..., values) counts -> (...)."""
    at_least = np.cumsum(histogram[..., ::-1], axis=-1)[..., ::-1]
    return np.count_nonzero(at_least >= n, axis=-1) - 1


def pooled_thresholds(
    fields: Iterable[npt.NDArray[np.uint16]], channels: int, outlier_percent: float
) -> npt.NDArray[np.int64]:
    """Threshold of each channel over the pixels of all fields, each (channels, H, W); 0 where there are no fields."""
    histogram = np.zeros((channels, 2**16), dtype=np.int64)
    pixels = 0
    for raw in fields:
        for counts, plane in zip(histogram, raw, strict=True):
            of_field = np.bincount(plane.ravel())  # as long as the largest value
            counts[: len(of_field)] += of_field
        pixels += raw[0].size
    return nth_largest(histogram, outliers(pixels, outlier_percent)) if pixels else histogram[:, 0]


def to_uint8(
    raw: npt.NDArray, intensity: Intensity = INTENSITIES["published_training"], threshold: npt.ArrayLike | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Scale images to 8 bits.

    Parameters
    ----------
    raw
        (..., H, W) uint16; uint8 images pass unscaled.
    intensity
        Share of pixels that are clipped, and scale.
    threshold
        Thresholds to use instead of the images' own: whole numbers that broadcast to (...).

    Returns
    -------
    images : (..., H, W) uint8
    thresholds : (...) float64
        In units of ``raw``. 0 marks an image that is black and stays black. It equals the scale where nothing was
        scaled.

    Raises
    ------
    TypeError
        If ``raw`` is neither uint8 nor uint16.
    """
    planes = raw.reshape(-1, raw.shape[-2] * raw.shape[-1])
    if raw.dtype == np.uint8:
        used = np.where(planes.any(axis=-1), intensity.scale, 0)
        return raw.copy(), used.reshape(raw.shape[:-2]).astype(np.float64)
    if raw.dtype != np.uint16:
        raise TypeError(f"uint8 or uint16 images are expected, not {raw.dtype}")
    if threshold is None:
        position = planes.shape[1] - outliers(planes.shape[1], intensity.outlier_percent)
        used = np.partition(planes, position, axis=-1)[:, position].astype(np.int64)
    else:
        used = np.broadcast_to(np.asarray(threshold, dtype=np.int64), raw.shape[:-2]).ravel()
    images = np.zeros(planes.shape, dtype=np.uint8)
    for image, plane, t in zip(images, planes, used, strict=True):
        if t > 0:
            # A table of all values up to t; larger values are clipped to its end. Floor division of integers equals
            # the truncated float64 quotient: below 2**53 / t a quotient that is not whole cannot round up to one.
            table = np.minimum(np.arange(t + 1) * intensity.scale // t, 255).astype(np.uint8)
            np.take(table, plane, mode="clip", out=image)
    black = ~planes.any(axis=-1)
    return images.reshape(raw.shape), np.where(black, 0, used).reshape(raw.shape[:-2]).astype(np.float64)

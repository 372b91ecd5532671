"""Scaling of 12- and 16-bit images to 8 bits, as for the training of CLOOME.

The n brightest pixels of a channel are outliers: n = round(pixels x outlier_percent / 100), at least 1. The threshold t
is the n-th largest value. A pixel becomes ``trunc(min(raw * scale / t, 255))`` (Sanchez-Fernandez et al. 2023,
supplement).
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.config import INTENSITIES, Intensity

#: pixels that are processed at once: their numbers of 32 bits fit into the cache of a processor
BLOCK = 1 << 17


def outliers(pixels: int, outlier_percent: float) -> int:
    """Number of pixels that are clipped, at least 1."""
    return max(1, round(pixels * outlier_percent / 100))


def nth_largest(histogram: npt.NDArray[np.integer], n: int) -> npt.NDArray[np.int64]:
    """Return the n-th largest value of each histogram of counts, (..., values) -> (...)."""
    pixels_from_value = np.cumsum(histogram[..., ::-1], axis=-1)[..., ::-1]
    return np.count_nonzero(pixels_from_value >= n, axis=-1) - 1


def pooled_thresholds(
    fields: Iterable[npt.NDArray[np.uint16]], channels: int, outlier_percent: float
) -> npt.NDArray[np.int64]:
    """Threshold of each channel over all pixels of ``fields``, each (channels, H, W). Without fields it is 0."""
    histogram = np.zeros((channels, 2**16), dtype=np.int64)
    pixels = 0
    for raw in fields:
        for counts, plane in zip(histogram, raw, strict=True):
            field_counts = np.bincount(plane.ravel())
            counts[: len(field_counts)] += field_counts
        pixels += raw[0].size
    return nth_largest(histogram, outliers(pixels, outlier_percent)) if pixels else histogram[:, 0]


def to_uint8(
    raw: npt.NDArray, intensity: Intensity = INTENSITIES["published_training"], threshold: npt.ArrayLike | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Scale images to 8 bits.

    Parameters
    ----------
    raw
        (..., H, W) uint16. Images that are uint8 already are not scaled.
    intensity
        Percentage of pixels that are clipped, and scale.
    threshold
        Thresholds to use, whole numbers that broadcast to (...). None: the threshold of each image.

    Returns
    -------
    images : (..., H, W) uint8
    thresholds : (...) float64
        Thresholds that were used, in units of ``raw``. It is 0 for a black image, and the scale for a uint8 image.

    Raises
    ------
    TypeError
        If ``raw`` is neither uint8 nor uint16.
    """
    planes = raw.reshape(-1, raw.shape[-2] * raw.shape[-1])
    if raw.dtype == np.uint8:
        thresholds = np.where(planes.any(axis=-1), intensity.scale, 0)
        return raw.copy(), thresholds.reshape(raw.shape[:-2]).astype(np.float64)
    if raw.dtype != np.uint16:
        raise TypeError(f"images must be uint8 or uint16, not {raw.dtype}")
    if threshold is None:
        position = planes.shape[1] - outliers(planes.shape[1], intensity.outlier_percent)
        # one image at a time, which fits into the cache of a processor
        thresholds = np.array([np.partition(plane, position)[position] for plane in planes], dtype=np.int64)
    else:
        thresholds = np.broadcast_to(np.asarray(threshold, dtype=np.int64), raw.shape[:-2]).ravel()
        thresholds = np.where(planes.any(axis=-1), thresholds, 0)
    images = np.zeros(planes.shape, dtype=np.uint8)
    for image, plane, t in zip(images, planes, thresholds.tolist(), strict=True):
        for start in range(0, len(plane) if t > 0 else 0, BLOCK):
            _scale(plane[start : start + BLOCK], t, intensity.scale, image[start : start + BLOCK])
    return images.reshape(raw.shape), thresholds.reshape(raw.shape[:-2]).astype(np.float64)


def _scale(raw: npt.NDArray[np.uint16], threshold: int, scale: int, out: npt.NDArray[np.uint8]) -> None:
    """Scale pixels by their threshold, which is above 0."""
    # Floor division of integers gives the same as the truncated float64 quotient: for values below 2**53 / threshold, a
    # quotient that is not a whole number cannot be rounded up to one.
    quotients = np.multiply(raw, scale, dtype=np.uint32)  # at most 65535 x scale
    np.floor_divide(quotients, threshold, out=quotients)
    np.copyto(out, quotients, casting="unsafe")
    # values from the threshold on count as the threshold, whose quotient is the scale
    np.copyto(out, min(scale, 255), where=raw >= threshold)

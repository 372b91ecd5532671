"""How even the illumination of plates is, before and after its correction."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.illumination.plate import KeptIllumination, read_kept

COLUMNS = [
    *("plate", "channel", "basis", "estimated_from", "held_out", "fields", "largest_gain"),
    *(f"{name}_{time}" for time in ("before", "after") for name in ("corners", "low", "high")),
]


def ratio_of_means(numerators: npt.NDArray, denominators: npt.NDArray, confidence: float) -> tuple[float, float, float]:
    """Estimate the ratio of two means over the same fields.

    Parameters
    ----------
    numerators, denominators
        (N,) values of the fields.
    confidence
        Level of the interval.

    Returns
    -------
    value, low, high
        Ratio, and its interval by the delta method (Cochran 1977, Sampling Techniques, section 6.4), for independent
        fields. NaN where nothing can be computed: all of them if the denominators are 0, and the interval if N < 2.

    Examples
    --------
    >>> ratio_of_means(np.array([1.0, 2.0]), np.array([2.0, 4.0]), 0.95)
    (0.5, 0.5, 0.5)
    """
    from scipy.stats import norm

    number = len(numerators)
    if not number or not (mean := float(np.mean(denominators, dtype=float))) > 0:
        return np.nan, np.nan, np.nan
    value = float(np.mean(numerators, dtype=float)) / mean
    if number < 2:
        return value, np.nan, np.nan
    residuals = np.asarray(numerators, float) - value * np.asarray(denominators, float)
    half = float(norm.ppf((1 + confidence) / 2) * np.sqrt((residuals**2).sum() / (number - 1) / number) / mean)
    return value, value - half, value + half


def evenness_table(kept: Mapping[str, KeptIllumination], confidence: float) -> pd.DataFrame:
    """Compare the corners of images with their centre, before and after the correction.

    Parameters
    ----------
    kept
        What is kept of each plate.
    confidence
        Level of the intervals.

    Returns
    -------
    Table ``illumination_evenness``, see :mod:`cloome_kedro.schemas`: one row per plate and channel. ``corners_before``
    and ``corners_after`` are the mean of the four corners, squares of an eighth of a side, divided by that of the
    centre, of a quarter of a side; 1 means that they are equally bright. ``largest_gain`` is the largest factor by
    which a pixel is multiplied in relation to another one.
    """
    rows = []
    for plate, one in kept.items():
        for number, channel in enumerate(CHANNELS):
            function = one.functions[number]
            numbers = [
                ratio_of_means(one.corners[time, :, number], one.centres[time, :, number], confidence)
                for time in (0, 1)
            ]
            gain = float(function.max() / function.min())
            fields = one.corners.shape[1]
            facts = (plate, channel, one.basis, one.estimated_from, one.held_out, fields, gain)
            rows.append((*facts, *numbers[0], *numbers[1]))
    return pd.DataFrame(rows, columns=COLUMNS)


def read_plates(paths: Mapping[str, Path]) -> dict[str, KeptIllumination]:
    """Read what is kept of each plate, by its name. Plates that were ingested without a correction are left out."""
    return {plate: read_kept(path) for plate, path in paths.items() if path.exists()}


def mean_images(kept: Mapping[str, KeptIllumination]) -> npt.NDArray[np.float64]:
    """Mean image over plates, each divided by its own mean.

    Returns
    -------
    (2, 5, SIDE, SIDE): before and after. A channel that is black on all plates is 0.
    """
    total = np.zeros((2, *next(iter(kept.values())).before.shape))
    plates = np.zeros((2, len(CHANNELS), 1, 1))
    for one in kept.values():
        images = np.stack([one.before, one.after]).astype(float)
        means = images.mean(axis=(-2, -1), keepdims=True)
        total += np.divide(images, means, out=np.zeros_like(images), where=means > 0)
        plates += means > 0
    return total / np.maximum(plates, 1)

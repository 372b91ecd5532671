"""Estimate the illumination functions of a plate from its images."""

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.illumination.functions import bounded, scaled
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination

#: largest side of the shrunken images from which functions are estimated, in pixels; functions are smooth
GRID = 128

_FWHM = 2.35  # full width at half maximum of a Gaussian, in standard deviations


def grid_of(shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the shrunken images: at most `GRID`, with the proportions of ``shape``."""
    factor = min(1, GRID / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def estimate_functions(stack: npt.NDArray[np.float32], settings: EstimatedIllumination) -> npt.NDArray[np.float32]:
    """Estimate one function per channel.

    Parameters
    ----------
    stack
        (N, C, h, w) images of fields, shrunken to `grid_of`.
    settings
        Method and its settings.

    Returns
    -------
    (C, h, w) float32, scaled as `functions.scaled` says. It is 1 everywhere for a channel that is black in all images.

    Raises
    ------
    ImportError
        If the method needs a package that is not installed.
    """
    functions = np.ones(stack.shape[1:], np.float32)
    for function, images in zip(functions, np.moveaxis(stack, 1, 0), strict=True):
        if images.any():
            made = _basic(images) if settings.method == "basic" else _smoothed_mean(images, settings)
            function[...] = scaled(bounded(made))
    return functions


def _smoothed_mean(images: npt.NDArray[np.float32], settings: EstimatedIllumination) -> npt.NDArray[np.float64]:
    """Mean of the images, smoothed with a wide filter.

    CellProfiler 4 does the same in CorrectIlluminationCalculate (Regular; All: Across cycles; Median Filter or Gaussian
    Filter), with which the illumination functions of the Cell Painting Gallery were made. At the edges it uses only
    pixels inside the image, which flattens functions there. Here the image is continued beyond its edges by point
    reflection, which keeps the slope.
    """
    from scipy import ndimage

    mean = images.mean(axis=0, dtype=np.float64)
    sigma = settings.width * min(mean.shape) / _FWHM
    radius = max(1, int(sigma + 0.5))
    pad = min(radius if settings.smoothing == "median" else 1 + int(3 * sigma), min(mean.shape) - 1)
    if pad < 1:
        return np.full(mean.shape, mean.mean())
    padded = _continued(mean, pad)
    if settings.smoothing == "gaussian":
        smooth = ndimage.gaussian_filter(padded, sigma, truncate=3)
    else:
        y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        smooth = ndimage.median_filter(padded, footprint=x**2 + y**2 <= radius**2)
    return smooth[pad:-pad, pad:-pad]


def _continued(image: npt.NDArray[np.float64], pad: int) -> npt.NDArray[np.float64]:
    return np.pad(image, pad, mode="reflect", reflect_type="odd")


def _basic(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Flat field by BaSiC (Peng et al. 2017, Nature Communications 8:14836), without a dark field."""
    try:
        from basicpy import BaSiC
    except ImportError as error:
        raise ImportError(
            "the method basic of storage.illumination needs BaSiCPy, which is not installed, or lacks a package "
            f"({error}). It demands an older SciPy than this program, but works with a new one: pip install dask pooch "
            "torch-dct, then pip install --no-deps basicpy"
        ) from error
    model = BaSiC(get_darkfield=False, device="cpu", working_size=list(images.shape[1:]))
    model.fit(images, skip_shape_warning=True)
    return np.asarray(model.flatfield, dtype=np.float64)

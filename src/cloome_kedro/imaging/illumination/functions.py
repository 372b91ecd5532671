"""Illumination functions: read, check, resize, scale, and divide images by them."""

import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.images import area_means
from cloome_kedro.imaging.readers import LARGEST_IMAGE
from cloome_kedro.imaging.remote import is_remote

_ROBUST = 0.02  # rank of the robust minimum among the values, as in CellProfiler
_LEAST = 0.1  # of the median; an estimate is not smaller, so that images are not divided by almost 0

_ADVICE = "Correct it, or change storage.illumination in params:ingestion"


def read_function(path: str, name: str) -> npt.NDArray[np.float32]:
    """Read an illumination function, see :func:`read_unscaled`.

    Returns
    -------
    (H, W) float32, scaled as :func:`scaled` says. All values are finite and above 0.
    """
    return scaled(read_unscaled(path, name))


def read_unscaled(path: str, name: str) -> npt.NDArray:
    """Read and check an illumination function in a file of NumPy. Pickled objects are never read.

    Parameters
    ----------
    path
        A file ``.npy`` on the disk.
    name
        Its name in messages, such as its address on a server.

    Returns
    -------
    (H, W) numbers as in the file. All values are finite and above 0.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds something else. The message names it.
    """
    try:
        if os.path.getsize(path) > LARGEST_IMAGE:
            raise ValueError(f"it has {os.path.getsize(path):,} bytes, at most {LARGEST_IMAGE:,} are read")
        with open(path, "rb") as file:
            function = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a bad header can raise many types
        raise ValueError(
            f"the illumination function {name} cannot be read ({error}); a file .npy with one array of numbers is "
            f"needed. {_ADVICE}"
        ) from error
    return checked(function, name)


def checked(function: npt.NDArray, name: str) -> npt.NDArray:
    """Return a function; ValueError if it has no two dimensions, or a value that is not finite or not above 0."""
    problem = ""
    if function.ndim != 2 or min(function.shape) < 1:
        problem = f"has the shape {function.shape}, but (height, width) is needed"
    elif function.dtype.kind not in "fiu":
        problem = f"has values of the type {function.dtype}, but numbers are needed"
    elif not np.isfinite(function).all():
        problem = f"has {np.count_nonzero(~np.isfinite(function)):,} values that are not finite"
    elif function.min() <= 0:
        problem = (
            f"has {np.count_nonzero(function <= 0):,} values that are 0 or negative, by which nothing can be divided"
        )
    if problem:
        raise ValueError(f"the illumination function {name} {problem}. {_ADVICE}")
    return function


def check_shape(function_shape: tuple[int, ...], shape: tuple[int, int], name: str) -> None:
    """Raise ValueError if the shape of a function differs from that of the images, but not by one whole factor."""
    (height_factor, height_rest), (width_factor, width_rest) = (
        divmod(max(pair), min(pair)) for pair in zip(function_shape, shape, strict=True)
    )
    same_direction = (function_shape[0] <= shape[0]) == (function_shape[1] <= shape[1])
    if height_rest or width_rest or height_factor != width_factor or not same_direction:
        raise ValueError(
            f"the illumination function {name} has the shape {function_shape}, which is no whole multiple or fraction "
            f"of the shape of the plate's images, {shape}. {_ADVICE}"
        )


def check_files(files: Mapping[str, Sequence[str]], shapes: Mapping[str, tuple[int, int] | None]) -> None:
    """Check the functions that are on the disk, before the first plate is ingested. Each file is read once.

    Parameters
    ----------
    files
        Functions of each plate.
    shapes
        Shape of the images of each plate that is to be ingested, if one can be read.

    Raises
    ------
    ValueError
        See :func:`read_unscaled` and :func:`check_shape`.
    """
    read = functools.cache(lambda path: read_unscaled(path, path).shape)
    for plate, shape in shapes.items():
        for path in files[plate]:
            if shape and not is_remote(path):
                check_shape(read(path), shape, path)


def resized(functions: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize functions (C, h, w) to (C, *shape): means of areas for a smaller shape, or linear interpolation.

    Outer pixels of a larger shape, which are beyond the centres of the outermost pixels, are extrapolated linearly.
    """
    if functions.shape[1:] == shape:
        return functions
    if functions.shape[1] >= shape[0] and functions.shape[2] >= shape[1]:
        return area_means(functions, shape).astype(np.float32)
    larger = functions
    for axis, size in zip((1, 2), shape, strict=True):
        larger = _interpolated(larger, axis, size)
    return np.maximum(larger, functions.min(axis=(1, 2), keepdims=True) / 2)


def _interpolated(values: npt.NDArray[np.float32], axis: int, size: int) -> npt.NDArray[np.float32]:
    from scipy.interpolate import make_interp_spline

    known = values.shape[axis]
    if known == 1:
        return np.repeat(values, size, axis=axis)
    centres = (np.arange(size) + 0.5) * known / size - 0.5
    return make_interp_spline(np.arange(known), values, k=1, axis=axis)(centres).astype(np.float32)


def scaled(function: npt.NDArray) -> npt.NDArray[np.float32]:
    """Divide a function by its robust minimum, so that corrected images are almost nowhere brighter than raw ones.

    The robust minimum is the value with the rank ``int(0.02 n)`` of n. CellProfiler rescales its functions in the same
    way (CorrectIlluminationCalculate, "Rescale the illumination function"), and sets smaller values to the robust
    minimum. Therefore functions that it has rescaled, like those of the Cell Painting Gallery, do not change here.

    Parameters
    ----------
    function
        (H, W), above 0.

    Returns
    -------
    (H, W) float32
    """
    rank = int(function.size * _ROBUST)
    return (function / np.partition(function, rank, axis=None)[rank]).astype(np.float32)


def bounded(function: npt.NDArray) -> npt.NDArray:
    """Replace values of an estimate that are below a tenth of its median."""
    return np.maximum(function, _LEAST * np.median(function))


def divide(raw: npt.NDArray, gains: npt.NDArray[np.float32], largest: int) -> npt.NDArray:
    """Divide images by illumination functions.

    CellProfiler's CorrectIlluminationApply does this with the method "Divide", which the pipelines of the Cell Painting
    Gallery use. Here the quotients are rounded to whole numbers, since fields are stored in 8 bits in the end.

    Parameters
    ----------
    raw
        (C, H, W) uint8 or uint16.
    gains
        (C, H, W): 1 / function.
    largest
        Largest value of the bit depth. Larger quotients are set to it.

    Returns
    -------
    Array of the shape and dtype of ``raw``.
    """
    corrected = np.empty_like(raw)
    for image, gain, out in zip(raw, gains, corrected, strict=True):
        quotient = image * gain
        np.rint(quotient, out=quotient)
        np.minimum(quotient, largest, out=quotient)
        out[...] = quotient
    return corrected

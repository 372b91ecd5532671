"""Illumination functions of a plate that a user gives."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.functions import check_shape, checked, divide, read_function, resized, scaled
from cloome_kedro.imaging.illumination.plate import read_kept

if TYPE_CHECKING:
    from cloome_kedro.imaging.given_fields import GivenFields

#: functions as an array (5, H, W) in the order of `CHANNELS`, as ``{channel: file .npy}``, or as the file that
#: ingestion keeps of a plate
Illuminations = np.ndarray | Mapping[str, str | Path] | str | Path


def read_functions(illumination: Illuminations) -> npt.NDArray[np.float32]:
    """Read and check functions of the five channels.

    Returns
    -------
    (5, H, W) float32, scaled as `functions.scaled` says.

    Raises
    ------
    ValueError, FileNotFoundError
        If they are not valid. The message names the file.
    """
    if isinstance(illumination, str | Path):
        return read_kept(Path(illumination).expanduser()).functions
    if isinstance(illumination, Mapping):
        files = {canonical(str(name)): str(Path(file).expanduser()) for name, file in illumination.items()}
        if sorted(map(str, files)) != sorted(CHANNELS) or len(files) != len(illumination):
            raise ValueError(
                f"illumination has the channels {', '.join(map(str, illumination))}; it needs one file each for "
                f"{', '.join(CHANNELS)}"
            )
        functions = [read_function(files[channel], files[channel]) for channel in CHANNELS]
    else:
        array = np.asarray(illumination)
        if array.ndim != 3 or len(array) != len(CHANNELS):
            raise ValueError(
                f"illumination has the shape {array.shape}; it needs ({len(CHANNELS)}, height, width), with the "
                f"channels {', '.join(CHANNELS)}"
            )
        functions = [
            scaled(checked(function, f"of {channel}")) for function, channel in zip(array, CHANNELS, strict=True)
        ]
    if len({function.shape for function in functions}) > 1:
        raise ValueError(f"the illumination functions have several shapes: {[f.shape for f in functions]}")
    return np.stack(functions)


def corrected(given: "GivenFields", storage: Storage, illumination: Illuminations | None) -> "GivenFields":
    """Correct the illumination of raw fields, if the training fields were corrected.

    Raises
    ------
    ValueError
        If ``illumination`` is given although training fields were not corrected, is not valid, or has a shape that does
        not fit.

    Warns
    -----
    UserWarning
        If training fields were corrected, but no functions are given.
    """
    if storage.illumination is None:
        if illumination is not None:
            raise ValueError("the illumination of the training fields was not corrected: leave out `illumination`")
        return given
    if given.are_stored or not given.number:
        return given
    if illumination is None:
        warnings.warn(
            "the illumination of the training fields was corrected, but that of these fields is not: give the "
            "functions of their plate as `illumination`, such as the file that ingestion keeps of the plate",
            UserWarning,
            stacklevel=3,
        )
        return given
    functions = read_functions(illumination)
    if isinstance(illumination, Mapping):  # the same rule as for the files of a screen
        check_shape(functions.shape[1:], given.shape, str(next(iter(illumination.values()))))
    gains = np.float32(1) / resized(functions, given.shape)
    largest = 2**given.bits - 1
    return replace(given, read=lambda row: divide(given.read(row), gains, largest))

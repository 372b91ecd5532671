"""Files ``.npz`` of NumPy with one array ``sample`` (H, W, 5), as the published preprocessing writes them."""

import math
import os
import zipfile
from collections.abc import Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Reader, check_is_file

_ARRAY = "sample"


def read(path: str, planes: Sequence[int | None]) -> list[npt.NDArray]:
    """Read channels of the array; see `cloome_kedro.imaging.readers.base.Reader`. Pickled objects are never read."""
    name = os.path.basename(path)
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{_ARRAY}.npy" not in archive.namelist():
                arrays = ", ".join(member.removesuffix(".npy") for member in archive.namelist()[:5])
                raise BadField(f"{name} has no array `{_ARRAY}`; it has {arrays or 'none'}")
            with archive.open(f"{_ARRAY}.npy") as file:
                _check_header(name, file)
            with archive.open(f"{_ARRAY}.npy") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
    except BadField:
        raise
    except Exception as error:  # a bad archive or header can raise many types
        raise BadField(f"{name} is unreadable or truncated: {error}") from error
    channels = []
    for plane in planes:
        if plane is None or not 0 <= plane < len(CHANNELS):
            raise BadField(f"{name} has the channels 0 to {len(CHANNELS) - 1}, but no image {plane}")
        channels.append(array[..., plane])
    return channels


READER = Reader(read)


def _check_header(name: str, file: IO[bytes]) -> None:
    """Raise `BadField` if the array has another form or is too large. The pixels are not read."""
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise BadField(f"{name} has a version of the format NPY that is not read: {version}")
    shape, _, dtype = read_header[version](file)
    if dtype.hasobject:
        raise BadField(f"{name} has pickled objects in `{_ARRAY}`, which are never read; save an array of uint8")
    if len(shape) != 3 or shape[2] != len(CHANNELS):
        raise BadField(
            f"{name}: `{_ARRAY}` has the shape {shape}; it needs (height, width, {len(CHANNELS)}), with the channels "
            f"{', '.join(CHANNELS)}"
        )
    if (size := math.prod(shape) * dtype.itemsize) > LARGEST_IMAGE:
        raise BadField(f"{name} is too large: its images have {size:,} bytes, at most {LARGEST_IMAGE:,} are read")

"""CZI, ND2 and LIF, read by bioio and its readers.

A file has one or more scenes, each with times, channels and z. Planes are numbered through all scenes in this order.
Where all scenes have the same size, the number is ``((scene * T + time) * C + channel) * Z + z``.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Reader, check_is_file, stamp_file

#: module of the bioio reader of each format
_MODULES = {".czi": "bioio_czi", ".nd2": "bioio_nd2", ".lif": "bioio_lif"}
SUFFIXES = tuple(_MODULES)


@dataclass(frozen=True)
class Scene:
    """Facts about a scene.

    Attributes
    ----------
    name
        Name in the file.
    sizes
        Number of times, channels and z.
    channels
        Names of the channels. None: names are missing or not unique.
    largest
        Bytes of one plane.
    """

    name: str
    sizes: tuple[int, int, int]
    channels: tuple[str, ...] | None
    largest: int

    @property
    def planes(self) -> int:
        """Number of planes."""
        times, channels, z = self.sizes
        return times * channels * z


def read(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read planes of a file; see `cloome_kedro.imaging.readers.base.Reader`."""
    name = os.path.basename(path)
    scenes = read_scenes(path)
    starts = np.cumsum([0, *(scene.planes for scene in scenes)])
    if None in planes and starts[-1] > 1:
        raise BadField(f"{name} has {starts[-1]} planes; the plane must be named")
    wanted = [plane or 0 for plane in planes]
    for plane in wanted:
        if not 0 <= plane < starts[-1]:
            raise BadField(f"{name} has no plane {plane}, only {starts[-1]} planes")
    image = open_image(path)
    of_scene = [int(np.searchsorted(starts, plane, side="right")) - 1 for plane in wanted]
    size = max(scenes[i].largest for i in of_scene)
    if size > LARGEST_IMAGE:
        raise BadField(f"{name} is too large: a plane has {size:,} bytes, at most {LARGEST_IMAGE:,} are read")
    at_once = max(1, LARGEST_IMAGE // max(1, size))
    for start in range(0, len(wanted), at_once):
        part = list(zip(of_scene, wanted, strict=True))[start : start + at_once]
        try:
            yield from _compute(image, [(i, plane - int(starts[i]), scenes[i].sizes) for i, plane in part])
        except Exception as error:  # readers raise many types of exceptions for a bad file
            raise BadField(f"{name} is unreadable or truncated: {_last_line(error)}") from error


READER = Reader(read)


def read_scenes(path: str) -> tuple[Scene, ...]:
    """Read facts about the scenes of a file.

    Raises
    ------
    BadField
        If the file cannot be read, or holds colour images.
    ImportError
        If bioio or the reader of this format is not installed.
    """
    check_is_file(path)
    return _read_scenes(path, stamp_file(path))


@lru_cache(maxsize=4096)
def _read_scenes(path: str, stamp: tuple[int | str, ...]) -> tuple[Scene, ...]:
    image = open_image(path)
    scenes = []
    try:
        for i, name in enumerate(image.scenes):
            image.set_scene(i)
            sizes = tuple(int(getattr(image.dims, axis)) for axis in "TCZ")
            if "S" in image.dims.order:
                raise ValueError(f"the scene {name} has colour images; one channel per plane is needed")
            labels = tuple(str(label).strip() for label in image.channel_names or ())
            usable = len(labels) == sizes[1] == len(set(labels)) and all(labels)
            plane_bytes = int(image.dims.Y) * int(image.dims.X) * np.dtype(image.dtype).itemsize
            scenes.append(Scene(str(name), sizes, labels if usable else None, plane_bytes))  # type: ignore[arg-type]
    except Exception as error:  # readers raise many types of exceptions for a bad file
        raise BadField(f"{os.path.basename(path)} cannot be read: {_last_line(error)}") from error
    return tuple(scenes)


def open_image(path: str) -> Any:
    """Open a file as a ``bioio.BioImage``. Images are read later."""
    name = os.path.basename(path)
    module = _MODULES[os.path.splitext(path)[1].lower()]
    try:
        from bioio import BioImage

        reader = importlib.import_module(module).Reader
    except ImportError as error:
        raise ImportError(
            f"{name} needs bioio and {module.replace('_', '-')}: pip install 'cloome-kedro[formats]' ({error})"
        ) from error
    try:
        return BioImage(path, reader=reader)
    except Exception as error:  # readers raise many types of exceptions for a bad file
        raise BadField(f"{name} cannot be read: {_last_line(error)}") from error


def _last_line(error: Exception) -> str:
    """What an error says. Readers put the cause after lines about the formats that they know."""
    lines = [line.strip(" \t-") for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _compute(image: Any, places: Sequence[tuple[int, int, tuple[int, int, int]]]) -> Iterator[npt.NDArray]:
    """Read planes, each given by its scene, its number in the scene, and the sizes of the scene.

    A block of a file that holds several of the planes is read once.
    """
    import dask

    arrays = []
    for scene, number, sizes in places:
        image.set_scene(scene)
        time, channel, z = (int(place) for place in np.unravel_index(number, sizes))
        arrays.append(image.get_image_dask_data("YX", T=time, C=channel, Z=z))
    yield from dask.compute(*arrays, scheduler="synchronous")

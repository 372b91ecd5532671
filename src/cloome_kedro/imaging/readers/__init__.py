"""Readers of image files, by the path of the file.

A `Reader` reads the images of one file, and says whether the file exists and when it has changed. ``plane`` numbers the
images (H, W) of a file from 0, in the order of its leading dimensions. With several scenes, times, channels and z it is
``((scene * T + time) * C + channel) * Z + z``.

A built-in reader is one module and one line here. ``pattern`` is a regular expression that is searched for in the path
in lower case; the first reader whose pattern is found reads the file. Other modules add a reader by ``READERS.add(name,
Reader(read), module=__name__, pattern=...)``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy.typing as npt

from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Plane, Reader
from cloome_kedro.registry import Registry

__all__ = [
    "LARGEST_IMAGE",
    "READERS",
    "BadField",
    "Plane",
    "Reader",
    "has_reader",
    "locate",
    "read_image",
    "read_planes",
    "reader_of",
    "stamp",
]

READERS: Registry[Reader] = Registry("reader")
# the reader of addresses comes before those of formats, which then read the copy of the file
READERS.add("remote", "cloome_kedro.imaging.readers.remote:READER", pattern=r"^[a-z][a-z0-9+.\-]+://")
READERS.add("zip_member", "cloome_kedro.imaging.readers.zip_member:READER", pattern=r"\.zip!/")
READERS.add("npz", "cloome_kedro.imaging.readers.npz:READER", pattern=r"\.npz$")
READERS.add("tiff_png", "cloome_kedro.imaging.readers.tiff_png:READER", pattern=r"\.(tiff?|png)$")
READERS.add("zarr_array", "cloome_kedro.imaging.readers.zarr_array:READER", pattern=r"\.zarr[/\\]")
READERS.add("bioio", "cloome_kedro.imaging.readers.bioio_file:READER", pattern=r"\.(czi|nd2|lif)$")


def reader_of(path: str) -> Reader:
    """Reader of a path. A path that no pattern fits belongs to ``tiff_png``, which refuses it."""
    return READERS[_name(path)]


def read_planes(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read several images of one file, in the order of ``planes``. The file is opened at the first of them.

    Raises
    ------
    BadField
        If the file or one of its images cannot be read.
    """
    yield from reader_of(path).read(path, planes)


def read_image(path: str, plane: int | None = None) -> npt.NDArray:
    """Read one image.

    Parameters
    ----------
    path
        The file.
    plane
        Number of the image in the file, from 0. None reads the whole file. Several pages of a TIFF that have the same
        shape then give an array of three dimensions.

    Raises
    ------
    BadField
        If the file is missing, is not a regular file, has an unknown format, cannot be decoded, does not have this
        image, or if its images have more than `LARGEST_IMAGE` bytes.
    """
    return next(read_planes(path, [plane]))


def locate(paths: Sequence[str]) -> list[str | None]:
    """Return the true path of each file, or None if the file does not exist."""
    by_reader: dict[str, list[int]] = {}
    for i, path in enumerate(paths):
        by_reader.setdefault(_name(path), []).append(i)
    located: list[str | None] = [None] * len(paths)
    for name, rows in by_reader.items():
        for i, true_path in zip(rows, READERS[name].locate([paths[i] for i in rows]), strict=True):
            located[i] = true_path
    return located


def stamp(path: str) -> tuple[int | str, ...]:
    """Return values that change if the content of the file changes."""
    return reader_of(path).stamp(path)


def has_reader(path: str) -> bool:
    """Whether a reader has a pattern that fits the path.

    >>> has_reader("P1/A01.TIF"), has_reader("P1.zarr/A/01/0"), has_reader("platemap.csv")
    (True, True, False)
    """
    return _fitting(path) is not None


def _name(path: str) -> str:
    return _fitting(path) or "tiff_png"


def _fitting(path: str) -> str | None:
    """Name of the first reader whose pattern fits a path."""
    lower = path.lower()
    return next((name for name in READERS if _search(READERS.facts(name)["pattern"])(lower)), None)


@lru_cache
def _search(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).search

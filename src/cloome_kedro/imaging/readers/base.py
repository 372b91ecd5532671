"""What all readers of image files have in common: their type, their error, the largest image, and files on a disk."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy.typing as npt

#: file of an image, and its number in the file; None: the file has only this image
Plane = tuple[str, int | None]

#: bytes of the largest image that is decoded: a file of a few megabytes can claim to hold many gigabytes
LARGEST_IMAGE = 1 << 30

#: between a zip archive and the name of a member in a path
MEMBER = "!/"
_MEMBER = re.compile(r"(?<=\.zip)!/", re.IGNORECASE)


def split_member(path: str) -> tuple[str, str]:
    """Split a path into that of an archive and the name of a member, which is empty if there is none.

    >>> split_member("a!/P1.zip!/b.tif"), split_member("a!/b.tif")
    (('a!/P1.zip', 'b.tif'), ('a!/b.tif', ''))
    """
    archive, *member = _MEMBER.split(path, maxsplit=1)
    return archive, member[0] if member else ""


class BadField(ValueError):
    """A field cannot be used. The message gives the reason."""


def locate_files(paths: Sequence[str]) -> list[str | None]:
    """Find files on a disk; see `Reader.locate`. Each folder is listed only once, since there are many files.

    Tables that were written on Windows or macOS can have other upper and lower case than the files.
    """
    listings: dict[str, FileNames] = {}
    located: list[str | None] = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listings:
            listings[folder] = FileNames(os.listdir(folder) if os.path.isdir(folder) else [])
        true_name = listings[folder].find(name)
        located.append(None if true_name is None else path if true_name == name else os.path.join(folder, true_name))
    return located


class FileNames:
    """Names of the files in a folder.

    >>> FileNames(["A.tif", "b.tif", "B.tif"]).find("a.TIF"), FileNames(["b.tif", "B.tif"]).find("b.TIF")
    ('A.tif', None)
    """

    def __init__(self, names: Iterable[str]):
        self._names = set(names)
        self._by_lower: dict[str, list[str]] = {}
        for name in self._names:
            self._by_lower.setdefault(name.lower(), []).append(name)

    def find(self, name: str) -> str | None:
        """The name, or else the only one that differs in upper and lower case. None: there is no such file."""
        if name in self._names:
            return name
        similar = self._by_lower.get(name.lower(), [])
        return similar[0] if len(similar) == 1 else None


def stamp_file(path: str) -> tuple[int | str, ...]:
    """Size and time of modification of a file on a disk; see `Reader.stamp`."""
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Reader:
    """How one kind of file is read.

    Attributes
    ----------
    read
        ``(path, planes) -> arrays``, one array (H, W) per entry of ``planes``, in this order. It is called once for all
        planes of a field that are in the same file, and should open the file once. It can be a generator, so that few
        arrays are in memory at the same time. A plane of None is the only image of the file. ``read`` raises
        `BadField`, with the name of the file. Several threads call it at the same time, for different fields.
    locate
        ``paths -> paths``: the true path of each file, or None if it does not exist.
    stamp
        ``path -> values``: whole numbers or texts that change if the content of the file changes.
    name
        ``path -> name`` of the file in messages.
    """

    read: Callable[[str, Sequence[int | None]], Iterable[npt.NDArray]]
    locate: Callable[[Sequence[str]], list[str | None]] = locate_files
    stamp: Callable[[str], tuple[int | str, ...]] = stamp_file
    name: Callable[[str], str] = os.path.basename


def read_bytes(path: str) -> bytes:
    """Read a regular file.

    Raises
    ------
    BadField
        If the file is missing, is not a regular file, or cannot be read.
    """
    name = os.path.basename(path)
    check_is_file(path)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadField(f"{name} cannot be read: {error.strerror}") from error


def check_is_file(path: str) -> None:
    """Raise `BadField` if there is no file, or if it is a pipe or device, which could be read for ever."""
    name = os.path.basename(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        raise BadField(f"{name} does not exist") from error
    except OSError as error:
        raise BadField(f"{name} cannot be read: {error.strerror}") from error
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
        raise BadField(f"{name} is a pipe or a device, not a file")

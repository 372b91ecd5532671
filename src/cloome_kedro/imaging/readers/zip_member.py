"""TIFF and PNG in zip archives, such as ``/folder/a.zip!/images/b.tif``. The archive is not unpacked."""

import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy.typing as npt

from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Reader, check_is_file, split_member
from cloome_kedro.imaging.readers.tiff_png import check_suffix, decode

_ENCRYPTED = 0x1


def members(archive: str) -> list[zipfile.ZipInfo]:
    """List the files in an archive, without the files ``._NAME`` that macOS adds. The archive can be on a server.

    Raises
    ------
    BadField
        If the archive is missing or damaged.
    """
    from cloome_kedro.imaging.remote import local_file

    try:
        copy = local_file(archive)
    except FileNotFoundError as error:
        raise BadField(f"{os.path.basename(archive)} does not exist") from error
    files = [info for info in open_archive(copy).infolist() if not info.is_dir()]
    return [info for info in files if not info.filename.rpartition("/")[2].startswith("._")]


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Whether a member needs a password."""
    return bool(info.flag_bits & _ENCRYPTED)


def open_archive(path: str) -> zipfile.ZipFile:
    """Open an archive, or return it if this process has it open already. A changed archive is opened again.

    Raises
    ------
    BadField
        If the archive is missing or damaged.
    """
    name = os.path.basename(path)
    check_is_file(path)
    try:
        status = os.stat(path)
        # A fork would share the position in the file with its parent.
        return _opened(path, status.st_mtime_ns, status.st_size, os.getpid())
    except Exception as error:  # a bad directory of members can raise many types
        raise BadField(f"{name} cannot be read as a zip archive: {error}") from error


@lru_cache(maxsize=16)
def _opened(path: str, modified: int, size: int, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def read(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read pages of one member; see `cloome_kedro.imaging.readers.base.Reader`."""
    archive, member = split_member(path)
    name = f"{os.path.basename(member)} in {os.path.basename(archive)}"
    try:
        suffix = check_suffix(member)
    except BadField as error:
        raise BadField(f"{name} is neither TIFF nor PNG") from error
    data = _read_member(open_archive(archive), member, name)
    for plane in planes:
        yield decode(name, data, plane, suffix)


def _read_member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    try:
        info = archive.getinfo(member)
    except KeyError as error:
        raise BadField(f"{name} does not exist") from error
    if is_encrypted(info):
        raise BadField(f"{name} is encrypted; pack the archive without a password")
    if info.file_size > LARGEST_IMAGE:
        raise BadField(f"{name} is too large: it has {info.file_size:,} bytes, at most {LARGEST_IMAGE:,} are read")
    try:
        with archive.open(info) as file:
            # The size limits what is decompressed. The checksum is compared at the end.
            data = file.read(info.file_size)
    except NotImplementedError as error:
        raise BadField(f"{name} has a compression that cannot be read; pack the archive with deflate") from error
    except Exception as error:  # decompressors raise many types of exceptions for a bad member
        raise BadField(f"{name} is unreadable or truncated: {error}") from error
    if len(data) != info.file_size:
        raise BadField(f"{name} is unreadable or truncated: {len(data):,} of {info.file_size:,} bytes are there")
    return data


def locate(paths: Sequence[str]) -> list[str | None]:
    """Find members; see `cloome_kedro.imaging.readers.base.Reader`."""
    names: dict[str, set[str]] = {}
    located: list[str | None] = []
    for path in paths:
        archive, member = split_member(path)
        if archive not in names:
            try:
                names[archive] = {info.filename for info in members(archive)}
            except BadField:
                names[archive] = set()
        located.append(path if member in names[archive] else None)
    return located


def stamp(path: str) -> tuple[int | str, ...]:
    """Size and checksum of a member; see `cloome_kedro.imaging.readers.base.Reader`."""
    archive, member = split_member(path)
    try:
        info = open_archive(archive).getinfo(member)
    except (BadField, KeyError):
        return (-1, -1)
    return info.file_size, info.CRC


READER = Reader(read, locate, stamp)

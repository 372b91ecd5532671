"""Files on a server: they are brought to the local cache, and the reader of their format reads the copy."""

import os
from collections.abc import Iterator, Sequence

import numpy.typing as npt

from cloome_kedro.imaging.readers.base import MEMBER, BadField, FileNames, Reader, split_member
from cloome_kedro.imaging.remote import local_file, storage


def read(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read images of a file on a server; see `cloome_kedro.imaging.readers.base.Reader`."""
    from cloome_kedro.imaging.readers import reader_of

    address, member = _split(path)
    for is_last in (False, False, True):
        try:
            copy = local_file(address)
        except FileNotFoundError as error:
            raise BadField(f"{_name(address)} does not exist") from error
        try:
            images = iter(reader_of(copy + member).read(copy + member, planes))
            first = next(images)
            break
        except BadField as error:
            # another process can have removed the copy, if the cache is small
            if is_last or os.path.exists(copy):
                raise _renamed(error, copy, address) from error
    yield first
    try:
        yield from images
    except BadField as error:
        raise _renamed(error, copy, address) from error


def locate(paths: Sequence[str]) -> list[str | None]:
    """Find files; see `cloome_kedro.imaging.readers.base.Reader`. Each folder is listed once."""
    members: dict[str, list[int]] = {}  # rows of paths in each zip
    located: list[str | None] = [None] * len(paths)
    known: dict[str, str | None] = {}
    listings: dict[str, FileNames] = {}
    for i, path in enumerate(paths):
        address, member = _split(path)
        if address not in known:
            known[address] = _locate(address, listings)
        located[i] = known[address]
        if member and located[i]:
            members.setdefault(str(located[i]), []).append(i)
    for address, rows in members.items():
        for i, member_path in zip(rows, _locate_members(address, [_split(paths[i])[1] for i in rows]), strict=True):
            located[i] = member_path
    return located


def stamp(path: str) -> tuple[int | str, ...]:
    """Size of a file, and a text that changes with its content; see `cloome_kedro.imaging.readers.base.Reader`."""
    return storage().stamp(_split(path)[0]) or (-1, -1)


READER = Reader(read, locate, stamp)


def _split(path: str) -> tuple[str, str]:
    """Address of a file, and the path in it if it is a zip, with the separator."""
    address, member = split_member(path)
    return address, f"{MEMBER}{member}" if member else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _renamed(error: BadField, copy: str, address: str) -> BadField:
    """The same error with the name of the file on the server."""
    return BadField(str(error).replace(os.path.basename(copy), _name(address)))


def _locate(address: str, listings: dict[str, FileNames]) -> str | None:
    folder, _, name = address.rpartition("/")
    if folder not in listings:
        listings[folder] = FileNames(storage().listing(folder).files)
    true_name = listings[folder].find(name)
    return None if true_name is None else f"{folder}/{true_name}"


def _locate_members(address: str, members: list[str]) -> list[str | None]:
    from cloome_kedro.imaging.readers import locate as locate_local

    copy = local_file(address)
    found = locate_local([copy + member for member in members])
    return [None if path is None else address + path.removeprefix(copy) for path in found]

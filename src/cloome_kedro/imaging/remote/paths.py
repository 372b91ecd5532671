"""Paths of files on a server, with the methods of `pathlib.Path` that reading a screen needs.

universal_pathlib has similar paths. With them, ``is_file`` is one request per file, a pattern with the name of a plate
lists the folders of all plates, and an absolute path or an address does not replace what it is joined to. Here, only
folders that are needed are listed, and each only once.
"""

from __future__ import annotations

import fnmatch
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloome_kedro.imaging.remote.storage import Listing

_ADDRESS = re.compile(r"[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
_MAGIC = re.compile(r"[*?\[]")


def is_remote(path: object) -> bool:
    """Whether a path is the address of a file on a server, such as ``s3://bucket/image.tif``.

    >>> is_remote("s3://bucket/image.tif"), is_remote("/data/image.tif"), is_remote("C:/image.tif")
    (True, False, False)
    """
    return isinstance(path, RemotePath) or (isinstance(path, str) and _ADDRESS.match(path) is not None)


def join(folder: Path, name: str) -> Path:
    """Join a folder and a name. A name that is an address or an absolute path replaces the folder.

    The result and ``folder`` can be a `RemotePath`. It is no `Path`, but has the methods that are used.

    >>> str(join(Path("a"), "s3://bucket/b"))
    's3://bucket/b'
    """
    return RemotePath(name) if is_remote(name) else folder / name  # type: ignore[return-value]


@dataclass(frozen=True, order=True)
class RemotePath:
    """Address of a file or folder on a server.

    ``os.fspath`` gives the path of a local copy, which is downloaded for it. Therefore ``open`` and other functions
    that take a path can read the file. ``str`` gives the address.

    Examples
    --------
    >>> path = RemotePath("s3://bucket/plates//P1/") / "a.tif"
    >>> str(path), path.name, path.stem, path.suffix, str(path.parent)
    ('s3://bucket/plates/P1/a.tif', 'a.tif', 'a', '.tif', 's3://bucket/plates/P1')
    >>> str(path.relative_to(RemotePath("s3://bucket/plates")))
    'P1/a.tif'
    >>> path / "/data/b.tif"
    PosixPath('/data/b.tif')
    """

    address: str

    def __post_init__(self):
        scheme, _, key = self.address.partition("://")
        object.__setattr__(self, "address", f"{scheme}://{posixpath.normpath('/' + key).lstrip('/')}")

    def __str__(self) -> str:
        return self.address

    def __fspath__(self) -> str:
        from cloome_kedro.imaging.remote import local_file

        try:
            return local_file(self.address)
        except FileNotFoundError:
            if not self.has_files():
                raise
        raise IsADirectoryError(
            f"{self.address} is a folder on a server, but a folder of the disk is needed here: copy it to the disk"
        )

    @property
    def _key(self) -> PurePosixPath:
        return PurePosixPath(self.address.partition("://")[2])

    @property
    def _listing(self) -> Listing:
        from cloome_kedro.imaging.remote import storage

        return storage().listing(self.address)

    def __truediv__(self, name: str | PurePath) -> RemotePath | Path:
        if is_remote(text := str(name)):
            return RemotePath(text)
        return Path(text) if Path(text).is_absolute() else RemotePath(f"{self.address}/{PurePath(text).as_posix()}")

    def joinpath(self, *names: str) -> RemotePath | Path:
        return self / "/".join(names)

    @property
    def name(self) -> str:
        return self._key.name

    @property
    def stem(self) -> str:
        return self._key.stem

    @property
    def suffix(self) -> str:
        return self._key.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        return self._key.parts

    @property
    def parent(self) -> RemotePath:
        return RemotePath(f"{self.address.partition('://')[0]}://{self._key.parent}")

    def as_posix(self) -> str:
        return self.address

    def relative_to(self, other: RemotePath) -> PurePosixPath:
        return self._key.relative_to(other._key)

    def is_file(self) -> bool:
        return self.name in self.parent._listing.files

    def is_dir(self) -> bool:
        """Whether there is a file below this address; servers have no folders without files."""
        from cloome_kedro.imaging.remote import storage

        if len(self.parts) <= 1 or storage().is_listed(self.address):  # a bucket has no parent that could be listed
            return self.has_files()
        return self.name in self.parent._listing.folders

    def has_files(self) -> bool:
        """Whether there is a file below this address. It needs no access to the folder above."""
        return bool(self._listing.files or self._listing.folders)

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def iterdir(self) -> Iterator[RemotePath]:
        for name in sorted({*self._listing.files, *self._listing.folders}):
            yield RemotePath(f"{self.address}/{name}")

    def read_bytes(self) -> bytes:
        return Path(self.__fspath__()).read_bytes()

    def read_text(self, encoding: str | None = None) -> str:
        return Path(self.__fspath__()).read_text(encoding=encoding)

    def open(self, mode: str = "r", encoding: str | None = None) -> io.IOBase:
        """Open the file to read it."""
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"{self.address} is only read, so it cannot be opened with mode {mode!r}")
        return open(self.__fspath__(), mode, encoding=encoding)  # type: ignore[return-value]

    def rglob(self, pattern: str) -> Iterator[RemotePath]:
        return self.glob(f"**/{pattern}")

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Yield what matches a pattern.

        Only folders that can have a match are listed. ``**`` lists all files below its folder, which are many in the
        folder of a screen.
        """
        parts = PurePosixPath(pattern).parts
        folders = [self]
        for i, part in enumerate(parts):
            is_last = i == len(parts) - 1
            if part == "**":
                for folder in folders:
                    yield from folder._below(parts[i:])
                return
            if is_last:
                for folder in folders:
                    names = {*folder._listing.files, *folder._listing.folders}
                    yield from (folder._child(name) for name in _matching(names, part))
            elif _MAGIC.search(part) or len(folders) > 1:
                folders = [
                    folder._child(name) for folder in folders for name in _matching(folder._listing.folders, part)
                ]
            else:
                folders = [folder._child(part) for folder in folders]

    def _child(self, name: str) -> RemotePath:
        return RemotePath(f"{self.address}/{name}")

    def _below(self, parts: tuple[str, ...]) -> Iterator[RemotePath]:
        """Files below this folder that match a pattern which begins with ``**``."""
        from cloome_kedro.imaging.remote import storage

        regex = re.compile("".join(_regex(part, i == len(parts) - 1) for i, part in enumerate(parts)), re.DOTALL)
        for name in sorted(storage().find(self.address)):
            if regex.fullmatch(name):
                yield self._child(name)


def _matching(names: set[str] | frozenset[str], pattern: str) -> list[str]:
    return sorted(fnmatch.filter(names, pattern) if _MAGIC.search(pattern) else names & {pattern})


def _regex(part: str, is_last: bool) -> str:
    """Regular expression of one part of a pattern, with the slash after it."""
    if part == "**":
        return ".*" if is_last else "(?:[^/]+/)*"
    pieces = re.split(r"(\*|\?|\[[^\]]+\])", part)
    known = {"*": "[^/]*", "?": "[^/]"}
    text = "".join(
        known[piece] if piece in known else piece.replace("[!", "[^") if i % 2 else re.escape(piece)
        for i, piece in enumerate(pieces)
    )
    return text if is_last else text + "/"

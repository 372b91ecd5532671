"""Files on a server, such as ``s3://bucket/screen``, which are read through a local cache.

The settings and credentials of the running process are in one place, `get_remote`. The dataset of the screen sets the
credentials, and nodes set the cache. Worker processes get both from their parent.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cloome_kedro.imaging.remote.cache import FileCache
from cloome_kedro.imaging.remote.paths import RemotePath, is_remote, join
from cloome_kedro.imaging.remote.settings import RemoteSettings
from cloome_kedro.imaging.remote.storage import RemoteError, RemoteStorage

__all__ = [
    "Remote",
    "RemoteError",
    "RemotePath",
    "RemoteSettings",
    "RemoteStorage",
    "get_remote",
    "is_remote",
    "join",
    "local_file",
    "read_ahead",
    "set_remote",
    "storage",
    "use_remote",
]

T = TypeVar("T")

#: Fields of a plate that are read and decoded before they are needed. Each is in memory. On a disk of the network, most
#: of the time is spent waiting for files.
_READ_AHEAD = 4


@dataclass(frozen=True)
class Remote:
    """How this process reads files on a server.

    Attributes
    ----------
    settings
        Cache and numbers of threads and attempts.
    options
        See `RemoteStorage`.
    """

    settings: RemoteSettings = field(default_factory=RemoteSettings)
    options: Mapping[str, Any] | None = None


_remote = Remote()
_storage: tuple[int, RemoteStorage] | None = None  # with the number of the process: connections cannot be inherited


def get_remote() -> Remote:
    """Settings and credentials of this process."""
    return _remote


def set_remote(remote: Remote) -> None:
    """Set settings and credentials of this process. Connections and listings are forgotten."""
    global _remote, _storage
    _remote, _storage = remote, None


def use_remote(settings: RemoteSettings) -> None:
    """Set the settings, and keep the credentials."""
    set_remote(replace(_remote, settings=settings))


def storage() -> RemoteStorage:
    """Connections of this process."""
    global _storage
    known = _storage  # another thread can forget it
    if known is None or known[0] != os.getpid():
        known = _storage = os.getpid(), RemoteStorage(_remote.options, _remote.settings.attempts)
    return known[1]


def local_file(path: str) -> str:
    """Return the path of a file on the disk: the path itself, or that of a downloaded copy.

    Raises
    ------
    FileNotFoundError
        If the server has no such file.
    ValueError
        If the file is larger than the cache.
    RemoteError
        If the server refuses access or does not answer.
    """
    if not is_remote(path):
        return path
    server, settings = storage(), _remote.settings
    if (stamp := server.stamp(path)) is None:
        raise FileNotFoundError(f"there is no file {path}")
    cache = FileCache(settings.folder, settings.limit)
    name = path.rpartition("/")[2]
    return str(cache.get(f"{path} {stamp[1]}", name, stamp[0], lambda part: server.download(path, part)))


def read_ahead(
    groups: Sequence[Sequence[str]], read: Callable[[Any], T], prepare: Callable[[int], Any] = int
) -> Iterator[T]:
    """Yield ``read(prepare(number))`` of each group of paths in order, while threads read the next ones.

    Files on a server are downloaded by further threads before that.

    Parameters
    ----------
    groups
        Files of each group.
    read
        Reads the group, given what ``prepare`` returned. It is called by several threads. If the download of a file
        has failed, the error comes again when it is read.
    prepare
        Is called with the number of a group before it is read, by the thread that takes the results. By default the
        group is read by its number.
    """
    threads = _remote.settings.threads
    downloads: deque[list[Future]] = deque()  # of the groups whose reading has not begun
    results: deque[Future] = deque()

    def read_downloaded(prepared: Any, files: list[Future]) -> T:
        for file in files:
            file.exception()  # waits; raises an error only if the download was cancelled
        return read(prepared)

    waiting = iter(groups)
    with ThreadPoolExecutor(threads) as downloading, ThreadPoolExecutor(_READ_AHEAD) as reading:
        try:
            for number in range(len(groups) + _READ_AHEAD):
                while len(downloads) + sum(map(len, downloads)) < 2 * threads or not downloads:
                    if (group := next(waiting, None)) is None:
                        break
                    paths = dict.fromkeys(filter(is_remote, group))
                    downloads.append([downloading.submit(local_file, path) for path in paths])
                if number < len(groups):
                    results.append(reading.submit(read_downloaded, prepare(number), downloads.popleft()))
                if number >= _READ_AHEAD:
                    yield results.popleft().result()
        finally:
            reading.shutdown(wait=False, cancel_futures=True)
            downloading.shutdown(wait=False, cancel_futures=True)

"""Files on a server, such as ``s3://bucket/screen``, which are read through a local cache.

The settings and credentials of the running process are in one place, `get_remote`. The dataset of the screen sets the
credentials, and nodes set the cache. Worker processes get both from their parent.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

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
    if _storage is None or _storage[0] != os.getpid():
        _storage = os.getpid(), RemoteStorage(_remote.options, _remote.settings.attempts)
    return _storage[1]


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


def read_ahead(groups: Sequence[Sequence[str]]) -> Iterator[None]:
    """Yield once for each group of paths, when its files are there, while the next ones are downloaded in threads.

    Files of the disk are not touched. Errors are left to the function that reads the files.
    """
    if not any(is_remote(path) for path in chain.from_iterable(groups)):
        yield from (None for _ in groups)
        return
    threads = _remote.settings.threads
    waiting: deque[list[Future]] = deque()
    first_pending = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in groups:
                while first_pending < len(groups) and (sum(map(len, waiting)) < 2 * threads or not waiting):
                    paths = dict.fromkeys(filter(is_remote, groups[first_pending]))
                    waiting.append([pool.submit(local_file, path) for path in paths])
                    first_pending += 1
                for future in waiting.popleft():
                    future.exception()  # waits
                yield None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

"""A folder of downloaded files with a bounded size, which several processes and threads can use at the same time."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from cloome_kedro.atomic import is_left, is_part, replace_file

_KEEP = 0.9  # share of the limit that is kept when files are removed, so that this happens rarely


class FileCache:
    """A folder of files with a bounded size.

    A file is written under a temporary name and then renamed, so an incomplete file is never used. If the folder is
    full, the files that were not used for the longest time are removed. The time of modification of a file is the time
    of its last use.

    Parameters
    ----------
    folder
        The folder.
    limit
        Its largest size in bytes. Files that are being downloaded can exceed it.
    """

    def __init__(self, folder: Path, limit: int):
        self.folder = folder
        self.limit = limit

    def get(self, key: str, name: str, size: int, download: Callable[[Path], None]) -> Path:
        """Return the path of a file, which is downloaded if it is not there.

        Another process can remove the file at any time, if the cache is smaller than what all processes use at once.

        Parameters
        ----------
        key
            Text that identifies the file and its content.
        name
            Name of the file. The name of the returned path ends with it.
        size
            Bytes of the file.
        download
            Function that writes the file to a path.

        Raises
        ------
        ValueError
            If the file is larger than the cache.
        OSError
            If the downloaded file does not have ``size`` bytes.
        """
        digest = hashlib.sha256(key.encode()).hexdigest()
        path = self.folder / digest[:3] / f"{digest[3:19]}-{name[-150:]}"
        if self._is_hit(path, size):
            return path
        if size > self.limit:
            raise ValueError(
                f"{name} has {size / 1e9:.3g} GB, but the cache may have {self.limit / 1e9:.3g} GB: raise "
                "ingestion.remote.gigabytes"
            )
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / digest[:3]):  # two threads or processes do not download the same file at the same time
            if self._is_hit(path, size):
                return path
            self._reserve(size)
            try:
                with replace_file(path) as part:
                    download(part)
                    if (written := part.stat().st_size) != size:
                        raise OSError(f"{written:,} of {size:,} bytes of {name} were downloaded")
            except BaseException:
                self._reserve(-size)
                raise
        return path

    def total(self) -> int:
        """Bytes of all files in the cache."""
        return sum(size for _, size, _ in self._files())

    @staticmethod
    def _is_hit(path: Path, size: int) -> bool:
        try:
            if path.stat().st_size != size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _reserve(self, size: int) -> None:
        """Count bytes that will be written, and remove files if there is no space for them."""
        counter = self.folder / "size"
        with FileLock(self.folder / "size.lock"):
            try:
                total = int(counter.read_text())
            except (FileNotFoundError, ValueError):  # no cache yet, or the process that wrote the number was killed
                total = self.total()
            if total + size > self.limit:
                total = self._evict(int(_KEEP * self.limit) - size)
            counter.write_text(str(max(0, total + size)))

    def _evict(self, target: int) -> int:
        """Remove the files that were used least recently, until at most ``target`` bytes are left."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= max(0, target):
                break
            if not is_part(path):
                path.unlink(missing_ok=True)
                total -= size
        return total

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of the last use, size and path of each file. Parts that ended processes have left are removed."""
        files = []
        for folder in self.folder.glob("[0-9a-f][0-9a-f][0-9a-f]"):
            for entry in os.scandir(folder):
                path = Path(entry.path)
                if is_left(path):
                    path.unlink(missing_ok=True)
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:  # another process has renamed or removed it
                    continue
                files.append((status.st_mtime, status.st_size, path))
        return files

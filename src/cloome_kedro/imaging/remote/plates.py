"""A store of plates on a server: each plate is copied to the disk once, and then read from there."""

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt
from filelock import FileLock

from cloome_kedro.atomic import replace_file
from cloome_kedro.imaging.remote.storage import RemoteStorage, Stamp
from cloome_kedro.imaging.store import FieldReader, PlateStore, PlateWriter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemotePlateStore(PlateStore):
    """A store of plates on a server, such as ``s3://bucket/plates``, that is only read.

    A file is copied when it is needed, under a temporary name that changes when the copy is complete. A copy is used as
    long as its size and the server's version of the file (ETag) are the same. Processes can share the folder.

    Attributes
    ----------
    folder
        Folder of the copies. Its disk must have room for all plates that are read.
    address
        The store on the server: a copy of the folder of a `PlateStore`.
    options
        See `RemoteStorage`.
    threads
        Number of files that are copied at the same time.
    """

    address: str = ""
    options: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    threads: int = 8

    def images(self, plate_file: str) -> Path:
        return self._copies([f"{plate_file}.npy"])[0]

    def illumination(self, plate_file: str) -> Path:
        return self._copies([f"illumination/{plate_file}.npz"])[0]

    def _record(self, plate_file: str) -> Path:
        return self._copies([f"{plate_file}.parquet"])[0]

    def reader(self, plate_files: Sequence[str], rows: npt.ArrayLike) -> FieldReader:
        """Copy the plates, and return a reader of their fields.

        Raises
        ------
        OSError
            If the disk has no room for the copies.
        FileNotFoundError, DamagedFile, ValueError
            See `FieldReader`.
        RemoteError
            If the server refuses access or does not answer.
        """
        for path in self._copies([f"{name}.npy" for name in dict.fromkeys(map(str, plate_files))]):
            if not path.exists():
                raise FileNotFoundError(f"there is no file {self.address}/{path.name}: copy all plates to the server")
        return FieldReader(self.folder, plate_files, rows)

    def writer(self, plate_file: str, digest: str, storage: dict[str, Any]) -> PlateWriter:
        raise ValueError(
            f"{self.address} is on a server, where no plates are written: ingest into a folder of the disk, then copy "
            "it to the server"
        )

    def _copies(self, names: Sequence[str]) -> list[Path]:
        """Paths of copies. For a file that the server does not have, it is one of no file."""
        stamps = {name: _storage(os.getpid(), self).stamp(f"{self.address}/{name}") for name in names}
        wanted = {name: stamp for name, stamp in stamps.items() if stamp and not self._is_copied(name, stamp)}
        if wanted:
            self._check_room(wanted.values())
            with ThreadPoolExecutor(self.threads) as threads:
                list(threads.map(self._copy, wanted, wanted.values()))
        return [self.folder / name if stamp else self.folder / ".missing" / name for name, stamp in stamps.items()]

    def _check_room(self, stamps: Iterable[Stamp]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        sizes = [size for size, _ in stamps]
        gigabytes, free = sum(sizes) / 1e9, shutil.disk_usage(self.folder).free / 1e9
        if gigabytes > free:
            raise OSError(
                f"{self.folder} has room for {free:.3g} GB, but {gigabytes:.3g} GB are to be copied from "
                f"{self.address}: choose a folder on a larger disk in the catalog entry plate_store"
            )
        if gigabytes > 0.1:
            logger.info("%d files, %.3g GB, are copied from %s", len(sizes), gigabytes, self.address)

    def _copy(self, name: str, stamp: Stamp) -> None:
        path, lock = self.folder / name, self.folder / ".locks" / f"{name.replace('/', '_')}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if self._is_copied(name, stamp):  # another process has copied it
                return
            with replace_file(path) as part:
                _storage(os.getpid(), self).download(f"{self.address}/{name}", part)
                if (copied := part.stat().st_size) != stamp[0]:
                    raise OSError(f"{copied:,} of {stamp[0]:,} bytes of {self.address}/{name} were copied: run again")
            with replace_file(_version(path)) as part:
                part.write_text(json.dumps(stamp))

    def _is_copied(self, name: str, stamp: Stamp) -> bool:
        path = self.folder / name
        try:
            return path.stat().st_size == stamp[0] and json.loads(_version(path).read_text()) == list(stamp)
        except (FileNotFoundError, ValueError):
            return False


def _version(path: Path) -> Path:
    """File with the stamp of the copy. It is written after the copy."""
    return path.with_name(f".{path.name}.version.json")


def forget_listings() -> None:
    """Ask servers again which files they have."""
    _storage.cache_clear()


@cache
def _storage(process: int, store: RemotePlateStore) -> RemoteStorage:
    """Connections of this process: they cannot be inherited."""
    return RemoteStorage(store.options)

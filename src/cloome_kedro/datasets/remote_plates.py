"""Stores of plates on a server as datasets."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.datasets.described import Described

if TYPE_CHECKING:
    from cloome_kedro.imaging.remote.plates import RemotePlateStore


class RemotePlatesDataset(Described, AbstractDataset[Any, Any]):
    """The plates of a screen on a server, in place of those on the disk. They are only read.

    Each plate is copied to the disk when it is read for the first time.

    Parameters
    ----------
    filepath
        Address of the folder of plates, such as ``s3://bucket/plates``.
    folder
        Absolute path of the folder of the copies. Its disk must have room for all plates that are read.
    threads
        Number of files that are copied at the same time.
    credentials
        Options of the file system, as for :class:`cloome_kedro.datasets.folder.FolderDataset`.
    """

    #: nodes read it through a handle
    is_store = True
    is_cache = False

    def __init__(
        self,
        *,
        filepath: str,
        folder: str,
        threads: int = 8,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        from cloome_kedro.imaging.remote import is_remote

        if not is_remote(filepath):
            raise DatasetError(f"{filepath} is no address on a server, such as s3://bucket/plates")
        if is_remote(folder) or not Path(folder).is_absolute():
            raise DatasetError(
                f"the folder of the copies of {filepath} must be an absolute path, is {folder}: write "
                "${project:data/...}"
            )
        self._filepath, self._folder, self._threads = filepath.rstrip("/"), Path(folder), threads
        self._credentials = credentials
        self.metadata = metadata

    def load(self) -> "RemotePlateStore":
        from cloome_kedro.imaging.remote.plates import RemotePlateStore, forget_listings

        forget_listings()
        return RemotePlateStore(self._folder, self._filepath, self._credentials, self._threads)

    def save(self, data: Any) -> None:
        raise DatasetError(f"{self._filepath} is on a server, where nothing is written")

    def places(self) -> None:
        """None: the times of files on a server are not asked for."""

    def _exists(self) -> bool:
        from cloome_kedro.imaging.remote import RemoteStorage

        return bool(RemoteStorage(self._credentials).listing(self._filepath).files)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "folder": str(self._folder)}

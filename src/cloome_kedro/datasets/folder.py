"""Folders as datasets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file
from cloome_kedro.datasets.described import Described

#: file that is written last: if it exists, the folder is complete
MANIFEST = "manifest.csv"


class FolderDataset(Described, AbstractDataset[pd.DataFrame, Path]):
    """A folder. Loading returns its path. Saving writes ``manifest.csv``, a table of what the folder contains.

    Parameters
    ----------
    filepath
        The folder, or an address on a server, such as ``s3://bucket/screen``.
    create
        Whether loading makes a missing folder, because a node is going to write into it. Otherwise a missing folder is
        an error.
    credentials
        Options of the file system, such as ``key``, ``secret``, ``profile`` or ``client_kwargs: {endpoint_url: ...}``
        of s3fs, for this folder and for addresses in its tables. None: access is anonymous, unless variables of the
        environment, such as ``AWS_PROFILE``, give credentials.
    """

    def __init__(
        self,
        *,
        filepath: str,
        create: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        from cloome_kedro.imaging.remote import RemotePath, is_remote

        self._filepath: Path = RemotePath(filepath) if is_remote(filepath) else Path(filepath)  # type: ignore[assignment]
        self._create = create
        self._credentials = credentials
        self.metadata = metadata
        if create and is_remote(filepath):
            raise DatasetError(f"{filepath} is on a server, where nothing is written; name a folder of this machine")

    @property
    def is_store(self) -> bool:
        """Whether nodes write into the folder after loading it. What it held before does not matter."""
        return self._create

    #: what a folder into which a node is going to write holds does not matter
    is_cache = True

    def places(self) -> list[Path] | None:
        """The folder; None on a server, where the times of its files are not asked for."""
        return [self._filepath] if isinstance(self._filepath, Path) else None

    @property
    def _manifest(self) -> Path:
        return self._filepath / MANIFEST

    def load(self) -> Path:
        from cloome_kedro.imaging.remote import RemotePath, get_remote, set_remote

        if get_remote().options != self._credentials:
            set_remote(replace(get_remote(), options=self._credentials))
        if isinstance(self._filepath, RemotePath):
            if not self._filepath.has_files():
                raise DatasetError(f"there is no folder {self._filepath}: correct its address in the catalog")
        elif self._create:
            self._filepath.mkdir(parents=True, exist_ok=True)
        elif not self._filepath.is_dir():
            raise DatasetError(
                f"{self._filepath} is not a folder: put the screen there, or correct its path in the catalog. "
                "`kedro run --pipelines simulation` makes the virtual screen"
            )
        return self._filepath

    def save(self, data: pd.DataFrame) -> None:
        if not isinstance(self._filepath, Path):
            raise DatasetError(f"{self._filepath} is on a server, where nothing is written")
        with replace_file(self._manifest) as part:
            data.to_csv(part, index=False)

    def _exists(self) -> bool:
        is_complete = self._create or not isinstance(self._filepath, Path)
        return self._filepath.is_dir() if is_complete else self._manifest.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "create": self._create}

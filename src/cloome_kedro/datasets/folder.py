"""Folders of the catalog."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into, which takes the place of ``folder`` when the block ends without an error.

    A directory cannot be replaced in one step, so the old one is moved aside first: a kill between the two leaves it
    complete, under the name ``.<name>.old``.
    """
    part, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


class FolderDataset(AbstractDataset[pd.DataFrame, Path]):
    """A folder as a handle: loading gives its path, saving writes the manifest of what was put there.

    With ``create`` the folder is made where it is missing (a place to write to); without, a missing folder is an error
    that names it (a place to read from).
    """

    def __init__(self, *, filepath: str, create: bool = False, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._create = create
        self.metadata = metadata

    @property
    def _manifest(self) -> Path:
        return self._filepath / "manifest.csv"

    def load(self) -> Path:
        if self._create:
            self._filepath.mkdir(parents=True, exist_ok=True)
        elif not self._filepath.is_dir():
            raise DatasetError(
                f"{self._filepath} is no folder: put the screen there, or correct its path in the catalog"
            )
        return self._filepath

    def save(self, data: pd.DataFrame) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        part = self._filepath / ".manifest.part.csv"
        data.to_csv(part, index=False)
        os.replace(part, self._manifest)

    def _exists(self) -> bool:
        return self._filepath.is_dir() if self._create else self._manifest.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "create": self._create}

"""Folders of the catalog."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file

#: written last, so it says that a screen is whole
MANIFEST = "manifest.csv"


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
        return self._filepath / MANIFEST

    def load(self) -> Path:
        if self._create:
            self._filepath.mkdir(parents=True, exist_ok=True)
        elif not self._filepath.is_dir():
            raise DatasetError(
                f"{self._filepath} is not a folder: put the screen there, or correct its path in the catalog "
                "(the virtual screen is made by `kedro run --pipelines simulation`)"
            )
        return self._filepath

    def save(self, data: pd.DataFrame) -> None:
        with replace_file(self._manifest) as part:
            data.to_csv(part, index=False)

    def _exists(self) -> bool:
        return self._filepath.is_dir() if self._create else self._manifest.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "create": self._create}

"""Folders as datasets."""

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
        The folder.
    create
        Whether loading makes a missing folder, because a node is going to write into it. Otherwise a missing folder is
        an error.
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
                f"{self._filepath} is not a folder: put the screen there, or correct its path in the catalog. "
                "`kedro run --pipelines simulation` makes the virtual screen"
            )
        return self._filepath

    def save(self, data: pd.DataFrame) -> None:
        with replace_file(self._manifest) as part:
            data.to_csv(part, index=False)

    def _exists(self) -> bool:
        return self._filepath.is_dir() if self._create else self._manifest.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "create": self._create}

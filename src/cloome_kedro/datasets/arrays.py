"""Arrays of the catalog as ``.npy`` files."""

from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset

from cloome_kedro.atomic import replace_file


class Array(AbstractDataset[np.ndarray, np.ndarray]):
    """One array as ``.npy``; loaded whole, never unpickled."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        return np.load(self._filepath, allow_pickle=False)

    def save(self, data: np.ndarray) -> None:
        with replace_file(self._filepath) as part:
            np.save(part, data, allow_pickle=False)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

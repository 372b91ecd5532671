"""Arrays of the catalog as ``.npy`` files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset


class Array(AbstractDataset[np.ndarray, np.ndarray]):
    """One array as ``.npy``; loaded whole, never unpickled."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        return np.load(self._filepath, allow_pickle=False)

    def save(self, data: np.ndarray) -> None:
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        part = self._filepath.with_name(f".{self._filepath.stem}.part.npy")
        np.save(part, data, allow_pickle=False)
        os.replace(part, self._filepath)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

"""The state of a training as a handle."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class FitStateDataset(AbstractDataset):
    """Folder of a training's state; loading gives its `cloome_kedro.learning.state.FitState`."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self):
        from cloome_kedro.learning.state import FitState

        return FitState(self._filepath.absolute())

    def save(self, data) -> None:
        raise DatasetError("the state of a training is written through its handle")

    def _exists(self) -> bool:
        return True  # one that has not begun is empty

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

"""Handle datasets: a folder that a node fills step by step, so that a stopped run loses nothing."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class HandleDataset(AbstractDataset):
    """A folder; loading makes it and gives the handle that it is read and written through.

    Nodes take the handle as an input and return tables or models; what follows depends on those.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    @abstractmethod
    def handle(self, folder: Path) -> Any:
        """The handle of the folder."""

    def load(self) -> Any:
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self.handle(self._filepath)

    def save(self, data) -> None:
        raise DatasetError(f"{self._filepath} is written through its handle")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

"""The plate store as a handle."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class PlateStoreDataset(AbstractDataset):
    """Folder of plate files; loading gives its `cloome_kedro.imaging.store.PlateStore`.

    Nodes write through the handle and return tables; what follows depends on those tables (see ``fields``).
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self):
        from cloome_kedro.imaging.store import PlateStore

        self._filepath.mkdir(parents=True, exist_ok=True)
        return PlateStore(self._filepath)

    def save(self, data) -> None:
        raise DatasetError("the plate store is written through its handle")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

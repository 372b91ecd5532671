"""The profile store as a handle."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class ProfileStoreDataset(AbstractDataset):
    """Folder of raw profiles by plate; loading gives its `cloome_kedro.imaging.profiles.ProfileStore`.

    Nodes write through the handle and return tables; what follows depends on those tables (see ``profile_index``).
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self):
        from cloome_kedro.imaging.profiles import ProfileStore

        self._filepath.mkdir(parents=True, exist_ok=True)
        return ProfileStore(self._filepath)

    def save(self, data) -> None:
        raise DatasetError("the profile store is written through its handle")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

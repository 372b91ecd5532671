"""The plate store as a handle."""

from pathlib import Path

from cloome_kedro.datasets.handle import HandleDataset


class PlateStoreDataset(HandleDataset):
    """Folder of plate files: a `cloome_kedro.imaging.store.PlateStore`; what follows depends on ``fields``."""

    def handle(self, folder: Path):
        from cloome_kedro.imaging.store import PlateStore

        return PlateStore(folder)

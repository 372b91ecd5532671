"""The store of corrupted fields' embeddings as a handle."""

from pathlib import Path

from cloome_kedro.datasets.handle import HandleDataset


class CorruptionStoreDataset(HandleDataset):
    """Folder of embeddings by corruption: a `cloome_kedro.imaging.corruption_store.CorruptionStore`; see
    ``corrupted_fields``."""

    def handle(self, folder: Path):
        from cloome_kedro.imaging.corruption_store import CorruptionStore

        return CorruptionStore(folder)

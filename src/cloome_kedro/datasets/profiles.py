"""The profile store as a handle."""

from pathlib import Path

from cloome_kedro.datasets.handle import HandleDataset


class ProfileStoreDataset(HandleDataset):
    """Folder of raw profiles by plate: a `cloome_kedro.imaging.profiles.ProfileStore`; see ``profile_index``."""

    def handle(self, folder: Path):
        from cloome_kedro.imaging.profiles import ProfileStore

        return ProfileStore(folder)

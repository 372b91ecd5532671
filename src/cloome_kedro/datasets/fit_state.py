"""The state of a training as a handle."""

from pathlib import Path

from cloome_kedro.datasets.handle import HandleDataset


class FitStateDataset(HandleDataset):
    """Folder of a training's state: a `cloome_kedro.learning.state.FitState`."""

    def handle(self, folder: Path):
        from cloome_kedro.learning.state import FitState

        return FitState(folder.absolute())

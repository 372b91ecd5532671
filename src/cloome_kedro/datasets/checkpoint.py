"""Checkpoints as a folder of safetensors and JSON."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_folder


class CheckpointDataset(AbstractDataset):
    """A trained model with all that inference needs (see `cloome_kedro.learning.checkpoint`).

    A published model is never saved over one that was trained here.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self):
        from cloome_kedro.learning.checkpoint import load

        return load(self._filepath)

    def save(self, data) -> None:
        from cloome_kedro.learning.checkpoint import save

        if _published(data.config) and self._exists() and not _published(self._saved_config()):
            raise DatasetError(
                f"{self._filepath} holds a checkpoint that was trained here: give the published one a variant of its "
                "own, e.g. --params variant=published"
            )
        save(data, self._filepath)

    def _saved_config(self) -> dict[str, Any]:
        return json.loads((self._filepath / "config.json").read_text())

    def _exists(self) -> bool:
        return (self._filepath / "config.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class CheckpointsDataset(AbstractDataset):
    """A folder of checkpoints, each in a folder of its own that is named by its key."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        from cloome_kedro.learning.checkpoint import load

        return {folder.name: load(folder) for folder in sorted(self._filepath.iterdir()) if folder.is_dir()}

    def save(self, data: dict[str, Any]) -> None:
        from cloome_kedro.learning.checkpoint import save

        with replace_folder(self._filepath) as part:
            for name, checkpoint in data.items():
                save(checkpoint, part / name)

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _published(config: dict[str, Any]) -> bool:
    return config.get("source") == "published"

"""Save checkpoints as folders of safetensors and JSON."""

import json
import logging
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_folder
from cloome_kedro.datasets.described import Described

logger = logging.getLogger(__name__)


class CheckpointDataset(Described, AbstractDataset):
    """A folder with a trained model and all that inference needs (see `cloome_kedro.learning.checkpoint`).

    A published model cannot replace a model that was trained in this project.
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
                f"{self._filepath} holds a checkpoint that was trained here, which a published one must not replace. "
                "Name another variant for the published one, e.g. --params variant=published"
            )
        save(data, self._filepath)

    def _saved_config(self) -> dict[str, Any]:
        return json.loads((self._filepath / "config.json").read_text())

    def _exists(self) -> bool:
        return (self._filepath / "config.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class CheckpointsDataset(Described, AbstractDataset):
    """A folder with one folder per checkpoint, which has the name of the checkpoint's key."""

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


class NamedCheckpoints(Described, AbstractDataset):
    """Checkpoints by name, which is read only. Those that are not there are left out, and the log names them.

    Parameters
    ----------
    filepath
        Folder to which the folders of the checkpoints are relative.
    checkpoints
        Name -> folder of a checkpoint.
    """

    def __init__(self, *, filepath: str, checkpoints: dict[str, str], metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._folders = checkpoints
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        from cloome_kedro.learning.checkpoint import load

        found = {}
        for name, folder in self._folders.items():
            if (self._filepath / folder / "config.json").is_file():
                found[name] = load(self._filepath / folder)
            else:
                logger.warning("%s is left out: there is no checkpoint %s", name, self._filepath / folder)
        return found

    def places(self) -> list[Path]:
        """The folders of the checkpoints."""
        return [self._filepath / folder for folder in self._folders.values()]

    def save(self, data: dict[str, Any]) -> None:
        raise DatasetError("named checkpoints are read only: trainings write them")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "checkpoints": self._folders}


def _published(config: dict[str, Any]) -> bool:
    return config.get("source") == "published"

"""Checkpoints as a folder of safetensors and JSON."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


class CheckpointDataset(AbstractDataset):
    """A trained model with all that inference needs (see `cloome_kedro.learning.checkpoint`)."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self):
        from cloome_kedro.learning.checkpoint import load

        return load(self._filepath)

    def save(self, data) -> None:
        from cloome_kedro.learning.checkpoint import save

        save(data, self._filepath)

    def _exists(self) -> bool:
        return (self._filepath / "config.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

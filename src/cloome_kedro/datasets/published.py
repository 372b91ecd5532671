"""Load published checkpoints, which are PyTorch files."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.datasets.described import Described


class PublishedCheckpoint(Described, AbstractDataset):
    """A published checkpoint, read only; see `cloome_kedro.learning.published`.

    Parameters
    ----------
    filepath
        The ``.pt`` file.
    config
        JSON file with the settings of its model (optional).
    """

    def __init__(self, *, filepath: str, config: str | None = None, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._config = config
        self.metadata = metadata

    def load(self):
        from cloome_kedro.learning.published import read_published

        try:
            return read_published(self._filepath, self._config)
        except ValueError as error:
            raise DatasetError(f"{error}. Another file can be named by --params checkpoint=FILE") from error

    def save(self, data) -> None:
        raise DatasetError("published checkpoints are read only")

    def places(self) -> list[Path]:
        """The checkpoint and its settings."""
        return [self._filepath, *([] if self._config is None else [Path(self._config)])]

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "config": self._config}

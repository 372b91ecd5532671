"""Save vector indexes."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cloome_kedro.datasets.described import Described
from cloome_kedro.index import Content, Index


class IndexDataset(Described, AbstractDataset[Content, Index]):
    """A folder with a vector index of embeddings (see `cloome_kedro.index`).

    Saving adds what is new to an index of the same model, and replaces an index of another one.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Index:
        return Index.open(self._filepath)

    def save(self, data: Content) -> None:
        from cloome_kedro.index.build import update

        update(self._filepath.absolute(), data)

    def _exists(self) -> bool:
        return (self._filepath / "index.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

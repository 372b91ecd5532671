"""Embeddings of corrupted fields: one file per corruption, with a digest of everything that they depend on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torchvision

from cloome_kedro.imaging.corruptions import Corruption
from cloome_kedro.stores import TableStore, digest_of, read_table

_FORMAT = 2  # raise it when the code that draws settings or embeds changes: all fields are then embedded again
_VECTOR, _LOGIT = "vector", "logit"


@dataclass(frozen=True)
class CorruptionStore:
    """Folder with one table per corruption, ``<corruption>.parquet``.

    A table has one row per field: how the field was corrupted, and its embedding. If the model weights the fields of a
    compound, it also has the logit of the field.
    """

    folder: Path

    @property
    def _tables(self) -> TableStore:
        return TableStore(self.folder)

    def path(self, name: str) -> Path:
        """Path of the table of a corruption."""
        return self._tables.path(name)

    def digest(self, name: str) -> str | None:
        """Digest that was written with the embeddings. None if there are no embeddings, or the file is damaged."""
        return self._tables.digest(name)

    def is_current(self, name: str, digest: str) -> bool:
        """Whether there are embeddings that can be read and have this digest."""
        return self._tables.is_current(name, digest)

    def read(self, name: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Read how the N fields were corrupted, and their embeddings, (N, d) float32, in the same order."""
        table = read_table(self.path(name))
        lists = table[_VECTOR].combine_chunks()
        vectors = lists.flatten().to_numpy().reshape(len(table), lists.type.list_size)
        settings = [column for column in table.column_names if column not in (_VECTOR, _LOGIT)]
        return table.select(settings).to_pandas(), vectors

    def logits(self, name: str) -> np.ndarray | None:
        """Read the logits of the N fields, (N,) float32; None if the model does not weight fields."""
        table = read_table(self.path(name))
        return table[_LOGIT].to_numpy() if _LOGIT in table.column_names else None

    def write(
        self, name: str, table: pd.DataFrame, vectors: np.ndarray, digest: str, logits: np.ndarray | None = None
    ) -> None:
        """Write the table of a corruption. The file appears only when it is complete."""
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), vectors.shape[1])
        arrow = pa.Table.from_pandas(table, preserve_index=False).append_column(_VECTOR, lists)
        if logits is not None:
            arrow = arrow.append_column(_LOGIT, pa.array(logits.astype(np.float32)))
        self._tables.write(name, arrow, digest)


def corruption_digest(corruption: Corruption, settings: pd.DataFrame, **content: Any) -> str:
    """Digest of everything that the embeddings depend on.

    Parameters
    ----------
    corruption
        Its name and its source code are part of the digest. The code of functions that it calls is not.
    settings
        How each field is corrupted: a table of JSON values.
    content
        The model, its preprocessing and the images, as JSON values.
    """
    drawn = settings.to_dict("split", index=False)
    return digest_of(_FORMAT, torchvision.__version__, corruption.name, corruption.source, drawn, content)

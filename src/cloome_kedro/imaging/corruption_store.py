"""Embeddings of corrupted fields, one file per corruption, with what they were made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torchvision

from cloome_kedro.imaging.corruptions import Corruption
from cloome_kedro.stores import TableStore, digest_of

_FORMAT = 2  # raise it when the built-in way of drawing or embedding changes: all is then embedded again
_VECTOR = "vector"


@dataclass(frozen=True)
class CorruptionStore:
    """Folder with ``<corruption>.parquet``: how each field was corrupted, and its embedding, one row per field."""

    folder: Path

    @property
    def _tables(self) -> TableStore:
        return TableStore(self.folder)

    def path(self, name: str) -> Path:
        """Path of the corruption's embeddings."""
        return self._tables.path(name)

    def digest(self, name: str) -> str | None:
        """What the embeddings were made from; None where there are none, or the file is damaged."""
        return self._tables.digest(name)

    def read(self, name: str) -> tuple[pd.DataFrame, np.ndarray]:
        """How the fields were corrupted, and their embeddings, (N, d) float32, in the same order."""
        table = pq.read_table(self.path(name))
        lists = table[_VECTOR].combine_chunks()
        vectors = lists.flatten().to_numpy().reshape(len(table), lists.type.list_size)
        return table.drop_columns([_VECTOR]).to_pandas(), vectors

    def write(self, name: str, table: pd.DataFrame, vectors: np.ndarray, digest: str) -> None:
        """Put the corruption's embeddings in place, whole."""
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), vectors.shape[1])
        arrow = pa.Table.from_pandas(table, preserve_index=False).append_column(_VECTOR, lists)
        self._tables.write(name, arrow, digest)


def corruption_digest(corruption: Corruption, settings: pd.DataFrame, **content: Any) -> str:
    """Digest of all that the embeddings depend on.

    Parameters
    ----------
    corruption
        Its name and its source code count; the code of functions that it calls does not.
    settings
        How each field is corrupted: any table of JSON values.
    content
        The model, its preprocessing, the images: JSON values.
    """
    drawn = settings.to_dict("split", index=False)
    return digest_of(_FORMAT, torchvision.__version__, corruption.name, corruption.source, drawn, content)

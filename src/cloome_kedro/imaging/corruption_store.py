"""Embeddings of corrupted fields, a file a corruption, with what they were made from."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torchvision

from cloome_kedro.atomic import replace_file
from cloome_kedro.imaging.corruptions import Corruption

_FORMAT = 1  # raise it when the built-in way of drawing or embedding changes: all is then embedded anew
_DIGEST = b"digest"
_VECTOR = "vector"


@dataclass(frozen=True)
class CorruptionStore:
    """Folder with ``<corruption>.parquet``: how each field was corrupted, and its embedding, a row a field.

    The file's metadata has the digest of what it was made from.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """Path of the corruption's embeddings."""
        return self.folder / f"{name}.parquet"

    def digest(self, name: str) -> str | None:
        """What the embeddings were made from; None where there are none, or the file is damaged."""
        try:
            metadata = pq.read_metadata(self.path(name)).metadata
        except (FileNotFoundError, pa.ArrowInvalid):
            return None
        return (metadata or {}).get(_DIGEST, b"").decode() or None

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
        with replace_file(self.path(name)) as part:
            pq.write_table(arrow.replace_schema_metadata({_DIGEST: digest.encode()}), part)


def corruption_digest(corruption: Corruption, settings: pd.DataFrame, **content: Any) -> str:
    """Digest of all that the embeddings depend on.

    Parameters
    ----------
    corruption
        Its name and source code go in (of the function itself, not of others that it calls).
    settings
        How each field is corrupted: any table of JSON values.
    content
        The model, its preprocessing, the images: JSON values.
    """
    everything = [
        _FORMAT,
        torchvision.__version__,
        corruption.name,
        corruption.source,
        settings.to_dict("split", index=False),
        content,
    ]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

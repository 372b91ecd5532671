"""Embeddings with their keys."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embeddings:
    """Embeddings and the keys of their rows.

    Attributes
    ----------
    keys
        (N,) str: ``field_id`` of fields, InChIKey of compounds; unique.
    vectors
        (N, d) float32, rows L2-normalised.
    meta
        Where they come from: at least ``split_hash`` of the folds that the model was trained on.
    """

    keys: np.ndarray
    vectors: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.keys) != len(self.vectors):
            raise ValueError(f"embeddings: {len(self.keys)} keys do not fit vectors of shape {self.vectors.shape}")
        if len(np.unique(self.keys)) != len(self.keys):
            raise ValueError("embeddings: keys are not unique")

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Vectors of ``keys``, in their order: (len(keys), d) float32.

        Raises
        ------
        KeyError
            Naming the first key that has no embedding.
        """
        position = pd.Index(self.keys).get_indexer(pd.Index(keys))
        if (position < 0).any():
            missing = np.asarray(keys)[position < 0]
            raise KeyError(
                f"{len(missing)} keys have no embedding, the first is {missing[0]}: run the embedding pipeline"
            )
        return self.vectors[position]


class EmbeddingsDataset(AbstractDataset[Embeddings, Embeddings]):
    """A folder of ``vectors.npy``, ``keys.parquet`` (column ``key``, in the order of the vectors) and ``meta.json``."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Embeddings:
        keys = pd.read_parquet(self._filepath / "keys.parquet")
        meta = json.loads((self._filepath / "meta.json").read_text())
        vectors = np.load(self._filepath / "vectors.npy", allow_pickle=False)
        if len(keys) != len(vectors):
            raise DatasetError(f"{self._filepath}: {len(keys)} keys but {len(vectors)} vectors: run embedding again")
        return Embeddings(keys["key"].to_numpy(), vectors, meta)

    def save(self, data: Embeddings) -> None:
        with replace_folder(self._filepath) as part:
            np.save(part / "vectors.npy", data.vectors, allow_pickle=False)
            pd.DataFrame({"key": data.keys}).to_parquet(part / "keys.parquet")
            (part / "meta.json").write_text(json.dumps(data.meta, indent=1, sort_keys=True) + "\n")

    def _exists(self) -> bool:
        return (self._filepath / "meta.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def check_split(embeddings: Embeddings, name: str, folds_hash: str, split: str, fold: str) -> None:
    """Refuse embeddings of a model that may have been trained on the compounds it is asked about.

    A published model, whose training compounds are not known, is let through with a warning.

    Parameters
    ----------
    embeddings, name
        The embeddings and the dataset they are, without its split; named in messages.
    folds_hash
        Of the split's folds.
    split, fold
        Named in messages.

    Raises
    ------
    ValueError
        If the model was trained on other folds.
    """
    from cloome_kedro.learning.published import UNKNOWN_SPLIT

    if (found := embeddings.meta.get("split_hash")) == UNKNOWN_SPLIT:
        logger.warning(
            "%s.%s ARE OF A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN: it may have been trained on "
            "compounds of the %s fold, and then these ranks are too good",
            split,
            name,
            fold,
        )
    elif found != folds_hash:
        raise ValueError(
            f"{split}.{name} are of folds {found}, not of {split}.folds {folds_hash}: their model may have been "
            "trained on test compounds. Run training and embedding of this split again."
        )


def check_one_model(images: Embeddings, structures: Embeddings, split: str) -> None:
    """Refuse images and structures that are embedded by two models: their cosines mean nothing.

    Raises
    ------
    ValueError
        If the two are of different weights.
    """
    if (of_images := images.meta.get("weights")) != (of_structures := structures.meta.get("weights")):
        raise ValueError(
            f"{split}.image_embeddings are of the model {of_images}, {split}.structure_embeddings of {of_structures}: "
            "run the embedding pipeline of this split again"
        )

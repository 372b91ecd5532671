"""Vectors and the keys of their rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.pooling import weigh

_BLOCK = 4096  # rows that are checked at a time


@dataclass(frozen=True)
class Embeddings:
    """Vectors and the keys of their rows.

    Attributes
    ----------
    keys
        (N,) str, unique: ``field_id`` of fields, or InChIKey of compounds.
    vectors
        (N, d) float, finite.
    meta
        Where the vectors come from. For a model: ``split_hash`` of the folds that it was trained on, ``weights``,
        ``seed`` and ``epoch``.
    logits
        (N,) float, finite: the softmax of the logits of a compound's fields are their weights in its mean. None: all
        fields have the same weight.

    Examples
    --------
    >>> embeddings = Embeddings(np.array(["s/1", "s/2"]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> embeddings.of(["s/2", "s/1"])
    array([[0., 1.],
           [1., 0.]])
    >>> embeddings.knows(["s/1", "s/3"])
    array([ True, False])
    """

    keys: np.ndarray
    vectors: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)
    logits: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.keys) != len(self.vectors):
            raise ValueError(f"embeddings: {len(self.keys)} keys do not fit vectors of shape {self.vectors.shape}")
        if len(np.unique(self.keys)) != len(self.keys):
            raise ValueError("embeddings: keys are not unique")
        if self.vectors.dtype.kind != "f":
            raise ValueError(f"embeddings: vectors must be floating-point numbers, not {self.vectors.dtype}")
        if self.logits is not None and (
            self.logits.shape != self.keys.shape or self.logits.dtype.kind != "f" or not np.isfinite(self.logits).all()
        ):
            raise ValueError(f"embeddings: logits must be {len(self.keys)} finite numbers, one per key")
        for start in range(0, len(self.keys), _BLOCK):
            if not (finite := np.isfinite(self.vectors[start : start + _BLOCK]).all(axis=1)).all():
                key = self.keys[start + int(np.argmin(finite))]
                raise ValueError(f"embeddings: the vector of {key} is not finite")

    def knows(self, keys: ArrayLike) -> np.ndarray:
        """Whether each key has a vector: (len(keys),) bool."""
        return pd.Index(np.asarray(keys, object), dtype=object).isin(self.keys)  # 100 times as fast as pandas' strings

    def of(self, keys: ArrayLike) -> np.ndarray:
        """Vectors of ``keys``, in their order: (len(keys), d).

        Raises
        ------
        KeyError
            If a key has no vector. The message names the first one.
        """
        return self.vectors[self._rows(keys)]

    def logits_of(self, keys: ArrayLike) -> np.ndarray | None:
        """Logits of ``keys``, in their order: (len(keys),); None without logits. KeyError as :meth:`of`."""
        return None if self.logits is None else self.logits[self._rows(keys)]

    def for_means(self, keys: ArrayLike, compounds: np.ndarray) -> np.ndarray:
        """Vectors of ``keys``, whose mean over the fields of a compound is the embedding that the model pools.

        Parameters
        ----------
        keys
            (N,) as for :meth:`of`, with the same KeyError.
        compounds
            (N,) compound of each key.

        Returns
        -------
        numpy.ndarray
            (N, d). Without logits, the vectors as they are.
        """
        return weigh(self.of(keys), self.logits_of(keys), compounds)

    def _rows(self, keys: ArrayLike) -> np.ndarray:
        keys = np.asarray(keys)
        position = pd.Index(self.keys, dtype=object).get_indexer(pd.Index(keys, dtype=object))
        if (position < 0).any():
            missing = keys[position < 0]
            raise KeyError(
                f"{len(missing)} keys have no embedding, the first is {missing[0]}: run the embedding pipeline"
            )
        return position

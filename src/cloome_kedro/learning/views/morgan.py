"""The view ``morgan``: bits of Morgan fingerprints of compounds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from cloome_kedro.learning.views.base import Rows, Table, View


@dataclass(frozen=True)
class Fingerprints:
    """Packed fingerprints of all compounds, and the settings that they were made with.

    Attributes
    ----------
    packed : numpy.ndarray
        (compounds, bits / 8) uint8, packed by ``numpy.packbits``.
    settings : dict
        ``radius``, ``bits`` and ``chirality``.
    """

    packed: np.ndarray
    settings: dict[str, Any]

    def __post_init__(self):
        if self.packed.ndim != 2 or self.packed.dtype != np.uint8 or self.packed.shape[1] * 8 != self.settings["bits"]:
            raise ValueError(
                f"fingerprints of shape {self.packed.shape} {self.packed.dtype} do not have {self.settings['bits']} "
                "bits: run the pipeline featurization again"
            )

    def __len__(self) -> int:
        return len(self.packed)


@dataclass(frozen=True)
class MorganSettings:
    """No settings: radius, bits and chirality come from ``params:fingerprints``."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    def fit(self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool) -> "Morgan":
        """Make the view of these fingerprints; nothing is learned."""
        return Morgan(**sources["fingerprints"].settings)


@dataclass(frozen=True)
class Morgan(View):
    """Bits of a Morgan fingerprint, as the numbers 0 and 1.

    Attributes
    ----------
    radius, bits, chirality
        As in :func:`cloome_kedro.chemistry.fingerprints.morgan`.
    """

    settings: ClassVar[type] = MorganSettings

    radius: int = 3
    bits: int = 1024
    chirality: bool = True

    @property
    def inputs(self) -> int:
        """Number of bits."""
        return self.bits

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find fingerprints of compounds, by the column ``structure_row``.

        Raises
        ------
        ValueError
            If the fingerprints have other settings than in training, or a row has no fingerprint.
        """
        fingerprints: Fingerprints = sources["fingerprints"]
        trained_on = {"radius": self.radius, "bits": self.bits, "chirality": self.chirality}
        if fingerprints.settings != trained_on:
            raise ValueError(
                f"fingerprints have the settings {fingerprints.settings}, but the model was trained on {trained_on}: "
                "train the model again, or restore params:fingerprints and run the pipeline featurization"
            )
        rows = np.asarray(table["structure_row"], np.int64)
        if len(missing := rows[(rows < 0) | (rows >= len(fingerprints))]):
            raise ValueError(
                f"there is no fingerprint of row {missing[0]}, since there are only {len(fingerprints)}: run the "
                "pipeline featurization again"
            )
        digest = hashlib.sha256(np.ascontiguousarray(fingerprints.packed[rows]).data).hexdigest()
        return Rows(_Unpack(fingerprints.packed, rows), np.ones(len(rows), bool), f"{trained_on} {digest}")

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Convert bits (N, bits), uint8 of 0 and 1, to float32."""
        return batch.float()


@dataclass(frozen=True)
class _Unpack:
    packed: np.ndarray
    rows: np.ndarray

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return np.unpackbits(self.packed[self.rows[positions]], axis=1)

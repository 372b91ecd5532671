"""The view ``structures``: one or several sets of structural features of compounds, side by side."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from cloome_kedro.learning.views.base import Rows, Table, View

DESCRIPTORS = "descriptors"
_ROWS = 8192  # rows that are looked through at once


@dataclass(frozen=True)
class StructureFeatures:
    """Sets of structural features of all compounds.

    Attributes
    ----------
    sets
        Name -> settings of the set: ``kind``, ``size``, ``counts`` and what else it was made with, as JSON values.
    values
        Name -> (compounds, size): uint8 bits, uint16 counts or float32 descriptors, which are NaN where unknown.
    """

    sets: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, np.ndarray]

    def __post_init__(self):
        for name, settings in self.sets.items():
            if name not in self.values or self.values[name].shape != (len(self), settings["size"]):
                raise ValueError(
                    f"the set {name} of structural features does not have {settings['size']} features of {len(self)} "
                    "compounds: run the pipeline featurization again"
                )

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))


@dataclass(frozen=True)
class StructureSettings:
    """Which sets the model sees, and how their numbers are transformed.

    Attributes
    ----------
    sets
        Names of sets in ``params:structure_features``, in the order of the input.
    counts_transform
        ``log1p``: log(1 + count) in place of each count.
    clip
        Largest absolute value of a standardised descriptor.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    sets: tuple[str, ...] = ()
    counts_transform: Literal["none", "log1p"] = "none"
    clip: float = 10.0

    def __post_init__(self):
        if not self.sets or len(set(self.sets)) < len(self.sets):
            raise ValueError(
                "the view structures needs `sets`, the names of one or more sets of params:structure_features, each "
                f"once, but it is {list(self.sets)}"
            )
        if self.clip <= 0:
            raise ValueError(f"StructureSettings: clip must be positive, is {self.clip}")

    def fit(
        self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool
    ) -> "Structures":
        """Measure mean and standard deviation of each descriptor over the compounds of the training rows.

        Each compound counts once, whatever the number of its rows.

        Raises
        ------
        ValueError
            If there is no set of a name.
        """
        features: StructureFeatures = sources["structure_features"]
        sets = {name: dict(_set_of(features, name)) for name in self.sets}
        compounds = np.unique(np.asarray(table["structure_row"], np.int64)[train])
        means: list[float] = []
        stds: list[float] = []
        for name, settings in sets.items():
            if settings["kind"] == DESCRIPTORS:
                values = features.values[name][compounds].astype(float)
                measured = np.isfinite(values)
                counts = np.maximum(measured.sum(axis=0), 1)
                mean = np.where(measured, values, 0).sum(axis=0) / counts
                std = np.sqrt(np.where(measured, np.square(values - mean), 0).sum(axis=0) / counts)
                means += mean.tolist()
                # A constant descriptor gets the standard deviation 1. Its sum can differ from it by rounding.
                stds += np.where(std > 1e-7 * np.abs(mean), std, 1).tolist()
        return Structures(sets, self.counts_transform, self.clip, tuple(means), tuple(stds))


@dataclass(frozen=True)
class Structures(View):
    """Bits, counts and standardised descriptors, side by side.

    Attributes
    ----------
    sets
        Name -> settings of the set, in the order of the input.
    counts_transform, clip
        As in :class:`StructureSettings`.
    mean, std
        One value per descriptor. An unknown descriptor becomes 0 after the standardisation.
    """

    settings: ClassVar[type] = StructureSettings

    sets: dict[str, dict[str, Any]]
    counts_transform: Literal["none", "log1p"] = "none"
    clip: float = 10.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def inputs(self) -> int:
        """Number of features of all sets."""
        return sum(self.widths)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of features of each set."""
        return tuple(settings["size"] for settings in self.sets.values())

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find the features of compounds, by the column ``structure_row``.

        Raises
        ------
        ValueError
            If a set is missing or has other settings than in training, or a row has no features.
        """
        features: StructureFeatures = sources["structure_features"]
        for name, settings in self.sets.items():
            if (present := dict(_set_of(features, name))) != settings:
                changed = [key for key in {*present, *settings} if present.get(key) != settings.get(key)]
                raise ValueError(
                    f"the set {name} of structural features has other settings ({', '.join(sorted(changed))}) than in "
                    "training: train the model again, or restore params:structure_features and run the pipeline "
                    "featurization"
                )
        rows = np.asarray(table["structure_row"], np.int64)
        if len(missing := rows[(rows < 0) | (rows >= len(features))]):
            raise ValueError(
                f"there are no structural features of row {missing[0]}, since there are only {len(features)}: run the "
                "pipeline featurization again"
            )
        read = _Read(tuple(features.values[name] for name in self.sets), rows)
        digest = hashlib.sha256()
        for start in range(0, len(rows), _ROWS):
            digest.update(read(np.arange(start, min(start + _ROWS, len(rows)))).data)
        return Rows(read, np.ones(len(rows), bool), f"{self.sets} {digest.hexdigest()}")

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Transform counts and standardise descriptors: (N, inputs) -> (N, inputs) float32."""
        parts, seen = [], 0
        columns = batch.float().split([settings["size"] for settings in self.sets.values()], dim=-1)
        for part, settings in zip(columns, self.sets.values(), strict=True):
            if settings["kind"] == DESCRIPTORS:
                chosen = slice(seen, seen := seen + settings["size"])
                mean, std = (torch.tensor(values[chosen], device=part.device) for values in (self.mean, self.std))
                part = ((part - mean) / std).nan_to_num(0.0).clamp(-self.clip, self.clip)
            elif settings["counts"] and self.counts_transform == "log1p":
                part = part.log1p()
            parts.append(part)
        return torch.cat(parts, dim=-1)


@dataclass(frozen=True)
class _Read:
    values: tuple[np.ndarray, ...]
    rows: np.ndarray

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        rows = self.rows[positions]
        return np.concatenate([values[rows].astype(np.float32) for values in self.values], axis=-1)


def _set_of(features: StructureFeatures, name: str) -> Mapping[str, Any]:
    if name not in features.sets:
        raise ValueError(
            f"there is no set {name} of structural features, only {', '.join(features.sets) or 'none'}: add it to "
            "params:structure_features.sets and run the pipeline featurization"
        )
    return features.sets[name]

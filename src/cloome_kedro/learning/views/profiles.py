"""The view ``profiles``: features of fields from a table, standardised by the training rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np
import torch

from cloome_kedro.learning.views.base import Rows, Table, View
from cloome_kedro.words import feature_columns

_KEY = "field_id"


@dataclass(frozen=True)
class ProfileSettings:
    """No settings: the table gives the features, and the training rows give means and standard deviations."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    def fit(self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool) -> "Profiles":
        """Measure mean and standard deviation of each feature over the training rows that have a profile.

        Raises
        ------
        ValueError
            If the table of profiles has no feature, or no training row has a profile.
        """
        columns = feature_columns(sources["field_profiles"])
        if not columns:
            raise ValueError(
                "field_profiles has no feature: run the pipeline profiles, or leave out models with the view profiles. "
                "In your own table, names of features must not begin with Metadata_"
            )
        unfitted = Profiles(tuple(columns), (0.0,) * len(columns), (1.0,) * len(columns))
        rows = unfitted.rows(table, sources)
        seen = train[rows.known[train]]
        if not len(seen):
            raise ValueError("no field of the training fold has a row in field_profiles")
        std, mean = torch.std_mean(torch.from_numpy(rows.read(seen)).double(), dim=0, correction=0)
        # A constant feature gets the standard deviation 1.
        return Profiles(tuple(columns), tuple(mean.tolist()), tuple(torch.where(std > 0, std, 1.0).tolist()))


@dataclass(frozen=True)
class Profiles(View):
    """Standardised features, (x - mean) / std, in training and in evaluation.

    Attributes
    ----------
    columns
        Names of the features.
    mean, std
        One value per feature.
    """

    settings: ClassVar[type] = ProfileSettings

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def inputs(self) -> int:
        """Number of features."""
        return len(self.columns)

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find profiles of fields, by the column ``field_id``; a field without a profile has no input.

        Raises
        ------
        ValueError
            If the features differ from those in training, or a value is not finite. The message names the first one.
        """
        profiles = sources["field_profiles"]
        _check_columns(feature_columns(profiles), self.columns)
        keys = np.asarray(table[_KEY])
        position = {key: row for row, key in enumerate(np.asarray(profiles[_KEY]).tolist())}
        rows = np.fromiter((position.get(key, -1) for key in keys.tolist()), np.int64, len(keys))
        known = rows >= 0
        values = np.zeros((len(keys), len(self.columns)), np.float32)
        for column, name in enumerate(self.columns):
            numbers = np.asarray(profiles[name])
            if numbers.dtype.kind not in "fiu":
                raise ValueError(
                    f"field_profiles: column {name} is not numeric: if it is not a feature, its name must begin with "
                    "Metadata_"
                )
            values[known, column] = numbers[rows[known]]
        if not (finite := np.isfinite(values)).all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"field_profiles: {self.columns[column]} of field {keys[row]} is {values[row, column]}: give it a "
                "finite value, or remove the row"
            )
        digest = hashlib.sha256(values.data)
        digest.update(known.tobytes())
        return Rows(values.__getitem__, known, f"{self.columns} {digest.hexdigest()}")

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Standardise features, (N, features) float32."""
        mean, std = (torch.tensor(values, device=batch.device) for values in (self.mean, self.std))
        return (batch.float() - mean) / std


def _check_columns(columns: Sequence[str], trained_on: Sequence[str]) -> None:
    for name, expected in zip_longest(columns, trained_on, fillvalue="no column"):
        if name != expected:
            raise ValueError(
                "the columns of field_profiles differ from those in training; the first difference is "
                f"{name} instead of {expected}: train the model again"
            )

"""The view ``profiles``: features of fields from the table ``field_profiles``, scaled by the training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar, Literal

import numpy as np

from cloome_kedro.learning.views.base import Rows, Table
from cloome_kedro.learning.views.lookup import Reader, as_features, feature_rows, find
from cloome_kedro.learning.views.scaling import Scaled, ScalingSettings
from cloome_kedro.words import feature_columns

_SOURCE = "field_profiles"


@dataclass(frozen=True)
class ProfileSettings(ScalingSettings):
    """How profiles are scaled; the table gives the features."""

    scaling: Literal["standardise", "robust", "none"] = "standardise"

    def fit(self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool) -> "Profiles":
        """Learn the scaling from the training rows that have a profile.

        Raises
        ------
        ValueError
            If the table of profiles has no feature, no training row has a profile, or there are fewer principal
            components than are asked for.
        """
        columns = tuple(feature_columns(sources[_SOURCE]))
        if not columns:
            raise ValueError(
                "field_profiles has no feature: run the pipeline profiles, or leave out models with the view profiles. "
                "In your own table, names of features must not begin with Metadata_"
            )
        unfitted = Profiles(columns, (0.0,) * len(columns), (1.0,) * len(columns))
        rows = unfitted.rows(table, sources)
        seen = train[rows.known[train]]
        if not len(seen):
            raise ValueError("no field of the training fold has a row in field_profiles")
        return Profiles(columns, **self.learn(rows.read(seen), self.compounds_of(table, seen)))


@dataclass(frozen=True)
class Profiles(Scaled):
    """Scaled features of fields; a field without a profile has no input."""

    settings: ClassVar[type] = ProfileSettings

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find profiles of fields, by the column ``field_id``.

        Raises
        ------
        ValueError
            If the features differ from those in training, or a value is not finite. The message names the first one.
        """
        profiles = sources[_SOURCE]
        _check_columns(feature_columns(profiles), self.columns)
        found = find(as_features(profiles, self.columns, _SOURCE), table, "field_id")
        return feature_rows(Reader(found), self.columns, _SOURCE, "field")


def _check_columns(columns: Sequence[str], trained_on: Sequence[str]) -> None:
    for name, expected in zip_longest(columns, trained_on, fillvalue="no column"):
        if name != expected:
            raise ValueError(
                "the columns of field_profiles differ from those in training; the first difference is "
                f"{name} instead of {expected}: train the model again"
            )

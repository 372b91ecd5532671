"""The view ``table``: any table of features of fields, wells or compounds."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.views import lookup
from cloome_kedro.learning.views.base import Rows, Table
from cloome_kedro.learning.views.features import Features
from cloome_kedro.learning.views.scaling import MAD_TO_STD, Scaled, ScalingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableSettings(ScalingSettings):
    """Which table is read, how its rows are found, and how its features are scaled.

    Attributes
    ----------
    table
        Name of the table: the view reads the dataset ``<table>_features``.
    key
        What a row of the table is of: ``field_id``, ``site`` (plate, well and site), ``well`` (plate and well) or
        ``inchikey``. None: the only one that the table has.
    columns
        Regular expressions. A feature is used if one of them is found in its name. None: all features.
    duplicates
        What to do with a key that has several rows: ``error``, or use the ``first`` or the ``mean``.
    scaling
        As for the view ``profiles``, or ``controls``: features of a plate minus the median of its control rows, divided
        by their median absolute deviation times 1.4826. This comes before ``transform``.
    minimum_controls
        A plate with fewer control rows is scaled by all its rows, with a warning.
    """

    table: str = ""
    key: lookup.Key | None = None
    columns: tuple[str, ...] | None = None
    duplicates: lookup.Duplicates = "error"
    scaling: Literal["standardise", "robust", "none", "controls"] = "standardise"
    minimum_controls: int = 8

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 1, "minimum_controls")
        if not re.fullmatch(r"\w+", self.table):
            raise ValueError(
                f"the view table needs `table`, the name of a table of features of letters, digits and _, but it is "
                f"{self.table!r}"
            )
        for expression in self.columns or ():
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"columns: {expression!r} is not a regular expression: {error}") from error

    def fit(
        self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool
    ) -> "TableFeatures":
        """Choose the features, and learn their scaling from the training rows that the table has.

        Raises
        ------
        ValueError
            If the table has no such key or feature or no training row, or a value is not finite.
        """
        features = _features(self.table, sources)
        key = self.key or lookup.choose_key(features)
        if self.scaling == "controls" and key == "inchikey":
            raise ValueError("scaling: controls needs features of fields or wells, but the key is inchikey")
        patterns = [re.compile(expression) for expression in self.columns or ("",)]
        columns = tuple(name for name in features.names if any(pattern.search(name) for pattern in patterns))
        if not columns:
            raise ValueError(
                f"{features.source} has no feature with one of the names {', '.join(self.columns or ())}: correct "
                f"`columns`. Its features are {', '.join(features.names[:10])} ..."
            )
        controls = self.minimum_controls if self.scaling == "controls" else 0
        how: dict[str, Any] = {"table": self.table, "key": key, "duplicates": self.duplicates, "controls": controls}
        size = len(columns)
        unfitted = TableFeatures(columns, (0.0,) * size, (1.0,) * size, **how)
        rows = unfitted.rows(table, sources)
        seen = train[rows.known[train]]
        if not len(seen):
            wanted, stored = (
                next(iter(lookup.key_texts(rows_of, lookup.key_columns(features, key), "examples")), "none")
                for rows_of in ({name: np.asarray(table[name])[train] for name in table}, features.metadata)
            )
            raise ValueError(
                f"no row of the training fold has features in {features.source} by the key {key}: the first key of the "
                f"screen is {wanted}, that of the table is {stored}"
            )
        return TableFeatures(columns, **how, **self.learn(rows.read(seen), self.compounds_of(table, seen)))


@dataclass(frozen=True)
class TableFeatures(Scaled):
    """Scaled features of a table; a row without features has no input.

    Attributes
    ----------
    table, key, duplicates
        As in :class:`TableSettings`.
    controls
        Smallest number of control rows by which a plate is scaled; 0 if features are not scaled by controls.
    """

    settings: ClassVar[type] = TableSettings

    table: str = ""
    key: lookup.Key = "field_id"
    duplicates: lookup.Duplicates = "error"
    controls: int = 0

    def check_side(self, side: str) -> None:
        """Check that compounds are found by InChIKey, and fields by another key.

        Only the training has tables with both; an embedding would fail.
        """
        if (side == "compound") != (self.key == "inchikey"):
            raise ValueError(
                f"the view table of the side {side} finds its rows by {self.key}: the key of compounds must be "
                "inchikey, that of fields field_id, site or well"
            )

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find features by the key of the view.

        Raises
        ------
        ValueError
            If a feature of the training is missing, a key occurs several times, or a value is not finite.
        """
        features = _features(self.table, sources)
        position = {name: column for column, name in enumerate(features.names)}
        if missing := [name for name in self.columns if name not in position]:
            raise ValueError(
                f"{features.source} has no feature {missing[0]}, on which the model was trained: restore the table, or "
                "train the model again"
            )
        columns = None
        if self.columns != features.names:
            columns = np.array([position[name] for name in self.columns])
        found = lookup.find(features, table, self.key, self.duplicates, "the table of fields or compounds")
        by_plate = None
        if self.controls:
            by_plate = self._scale_by_controls(features, columns, table, sources["fields"])
        reader = lookup.Reader(found, columns, by_plate)
        return lookup.feature_rows(reader, self.columns, features.source, self.key.replace("_id", ""))

    def _scale_by_controls(
        self, features: Features, columns: np.ndarray | None, table: Table, fields: Table
    ) -> lookup.PlateScaling:
        """Median and deviation of the features of control rows, for each plate of ``table``.

        Parameters
        ----------
        fields
            Table of this name, which says which fields are controls.
        """
        by = lookup.key_columns(features, self.key)
        of_plate = ("plate",) if by[0] == "plate" else ("screen", "plate")
        names, codes = np.unique(
            lookup.key_texts(table, of_plate, "the table of fields").astype(str), return_inverse=True
        )
        code_of_plate = {name: code for code, name in enumerate(names.tolist())}
        keys = lookup.key_texts(fields, by, "fields").tolist()
        plate_of = dict(zip(keys, lookup.key_texts(fields, of_plate, "fields").tolist(), strict=True))
        controls = {key for key, control in zip(keys, np.asarray(fields["control"], bool), strict=True) if control}
        stored = lookup.key_texts(features.metadata, by, features.source).tolist()
        plates = np.array([code_of_plate.get(plate_of.get(key, ""), -1) for key in stored])
        is_control = np.array([key in controls for key in stored])
        order = np.argsort(plates, kind="stable")
        ends = np.searchsorted(plates[order], np.arange(len(names) + 1))
        centre, scale, without = [], [], []
        for code, name in enumerate(names):
            of_this_plate = order[ends[code] : ends[code + 1]]
            rows = of_this_plate[is_control[of_this_plate]]
            if len(rows) < self.controls:
                without.append(name)
                rows = of_this_plate
            values = features.values[rows] if columns is None else features.values[np.ix_(rows, columns)]
            median = np.median(values, axis=0) if len(rows) else np.zeros(len(self.columns))
            deviation = MAD_TO_STD * np.median(np.abs(values - median), axis=0) if len(rows) else np.ones_like(median)
            centre.append(median)
            scale.append(np.where(deviation > 0, deviation, 1))
        if without:
            logger.warning(
                "%s: %d of %d plates have fewer than %d control rows and are scaled by all their rows; the first is %s",
                *(features.source, len(without), len(names), self.controls, without[0]),
            )
        return lookup.PlateScaling(codes, np.array(centre, np.float32), np.array(scale, np.float32))


def _features(table: str, sources: Mapping[str, Any]) -> Features:
    """The features of a table; ValueError if the dataset of its name holds something else."""
    features = sources[f"{table}_features"]
    if not isinstance(features, Features):
        raise ValueError(
            f"the dataset {table}_features is no table of features, but {type(features).__name__}: its type in the "
            "catalog must be cloome_kedro.datasets.feature_table.FeatureTable"
        )
    return features

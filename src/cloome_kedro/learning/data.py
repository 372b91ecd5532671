"""Data of a training: pairs of a field and a compound, or of a field and its features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloome_kedro.learning.batches import one_field_per_unit
from cloome_kedro.learning.views.base import Rows, Table, View

#: value of the column ``fold`` of control wells in the table of a pre-training
CONTROL = "control"


@dataclass(frozen=True)
class Side:
    """Fields, compounds or features of the pairs.

    Attributes
    ----------
    view
        Turns the arrays of the rows into the input of the encoder.
    rows
        The fields or compounds of the pairs: row i is that of pair i.
    """

    view: View
    rows: Rows


@dataclass(frozen=True)
class PairData:
    """Pairs of a field and its compound, and which of them train and validate.

    Attributes
    ----------
    field, compound
        The two sides of the pairs. A pre-training has no compounds.
    train, validation : (n,) int
        Positions of pairs. Only these are read. There is one validation pair per compound.
    units : (pairs,) int
        Code of the unit of each pair: its compound or its treatment. With ``FitConfig.unique_compounds``, a unit
        occurs at most once in a batch.
    keys : (pairs,) str
        Field IDs, for messages.
    target
        Features of the fields that the model learns to predict. None: it predicts none.
    plates : (pairs,) int
        Code of the plate of each pair. None: unknown. With ``FitConfig.fields_per_compound``, fields of a unit are
        taken from different plates.
    compounds : (pairs,) int
        Code of the compound of each pair, also if a unit is a treatment. None: units are compounds.
    """

    field: Side
    compound: Side | None
    train: np.ndarray
    validation: np.ndarray
    units: np.ndarray
    keys: np.ndarray
    target: Side | None = None
    plates: np.ndarray | None = None
    compounds: np.ndarray | None = None

    @property
    def compound_codes(self) -> np.ndarray:
        """Code of the compound of each pair."""
        return self.units if self.compounds is None else self.compounds

    @property
    def sides(self) -> dict[str, Side]:
        """The sides by name, in the order of the model's arguments: field, compound and target, as far as given."""
        sides = {"field": self.field, "compound": self.compound, "target": self.target}
        return {name: side for name, side in sides.items() if side is not None}

    @property
    def trained_units(self) -> np.ndarray:
        """Unit of each training pair."""
        return self.units[self.train]

    def names(self, pairs: np.ndarray) -> list[str]:
        """Field IDs of these pairs."""
        return [str(key) for key in self.keys[pairs.ravel()]]


def pair_data(
    table: Table,
    sources: Mapping[str, Any],
    views: Mapping[str, Any],
    seed: int,
    unit: str = "structure_row",
    progress: bool = True,
) -> tuple[PairData, np.ndarray]:
    """Fit the views on the training fold, and make the pairs of the training and the validation fold.

    All fields of the fold ``train`` are training pairs. One field of each compound of the fold ``validation``, drawn by
    the seed, is a validation pair. Pairs without input on one side are left out. Training pairs without a target, too.

    Parameters
    ----------
    table
        Table ``examples`` without the test fold, so that the test fold cannot be read.
    sources
        Datasets that the views read, by name.
    views
        Settings of the views: ``field``, ``compound`` and, if features are predicted, ``target``.
    seed
        Seed of the draw of validation fields, and of the views.
    unit
        Column with the unit of a pair, see :class:`PairData`: ``structure_row`` or ``treatment``.
    progress
        Whether to show progress bars.

    Returns
    -------
    PairData
        Positions are rows of ``table``.
    known : (rows,) bool
        Rows of ``table`` that have an input on both sides.

    Raises
    ------
    ValueError
        If the training fold has no pair, or a view raises it.
    """
    folds, compounds = np.asarray(table["fold"]), np.asarray(table["structure_row"])
    sides = _sides(table, sources, views, seed, progress)
    known = sides["field"].rows.known & sides["compound"].rows.known
    train = _known_of((folds == "train") & known, sides.get("target"), "an input on both sides of the model")
    candidates = np.flatnonzero((folds == "validation") & known)
    validation = candidates[one_field_per_unit(compounds[candidates], np.random.default_rng([seed, 1]))]
    return PairData(
        sides["field"], sides["compound"], train, validation, target=sides.get("target"), **_codes(table, unit)
    ), known


def feature_data(
    table: Table, sources: Mapping[str, Any], views: Mapping[str, Any], seed: int, progress: bool = True
) -> tuple[PairData, np.ndarray]:
    """Fit the views on the training fold, and make the pairs of field and features of a pre-training.

    All fields of the fold ``train`` and of control wells are training pairs, and one field of each compound of the fold
    ``validation`` is a validation pair, as in :func:`pair_data`. Views learn from the fold ``train`` alone, so they are
    those of the training that follows.

    Parameters
    ----------
    table
        Table ``examples`` without the test fold, then rows of control wells with the fold ``control``.
    sources, seed, progress
        As for :func:`pair_data`.
    views
        Settings of the views: ``field`` and ``target``.

    Returns
    -------
    PairData
        Positions are rows of ``table``. Each field is its own unit.
    known : (rows,) bool
        Rows of ``table`` that have an input and features.

    Raises
    ------
    ValueError
        If there is no field with features to learn from, or a view raises it.
    """
    folds, compounds = np.asarray(table["fold"]), np.asarray(table["structure_row"])
    sides = _sides(table, sources, views, seed, progress)
    known = sides["field"].rows.known & sides["target"].rows.known
    train = _known_of(np.isin(folds, ["train", CONTROL]) & known, None, "an input and features to predict")
    candidates = np.flatnonzero((folds == "validation") & known)
    validation = candidates[one_field_per_unit(compounds[candidates], np.random.default_rng([seed, 1]))]
    codes = _codes(table, "field_id")
    return PairData(sides["field"], None, train, validation, target=sides["target"], **codes), known


def _sides(
    table: Table, sources: Mapping[str, Any], views: Mapping[str, Any], seed: int, progress: bool
) -> dict[str, Side]:
    """Fit each view on the training fold, and prepare all rows of the table."""
    train = np.flatnonzero(np.asarray(table["fold"]) == "train")
    if not len(train):
        raise ValueError("the table examples has no field in the training fold")
    sides = {}
    for name, settings in views.items():
        view: View = settings.fit(table, sources, train, seed, progress)
        view.check_side(name)
        sides[name] = Side(view, view.rows(table, sources))
    return sides


def _known_of(rows: np.ndarray, target: Side | None, what: str) -> np.ndarray:
    train = np.flatnonzero(rows)
    if not len(train):
        raise ValueError(f"no field of the training fold has {what}")
    if target is not None and not len(train := train[target.rows.known[train]]):
        raise ValueError("no field of the training fold has features to predict")
    return train


def _codes(table: Table, unit: str) -> dict[str, Any]:
    """Codes of units, compounds and, if the table has them, plates, and the field IDs."""
    return {
        "units": np.unique(np.asarray(table[unit]), return_inverse=True)[1],
        "plates": np.unique(np.asarray(table["plate"]), return_inverse=True)[1] if "plate" in table else None,
        "compounds": np.unique(np.asarray(table["structure_row"]), return_inverse=True)[1],
        "keys": np.asarray(table["field_id"]),
    }

"""Data of a training: pairs of a field and a compound."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloome_kedro.learning.batches import one_field_per_unit
from cloome_kedro.learning.views.base import Rows, Table, View


@dataclass(frozen=True)
class Side:
    """Fields, or compounds, of the pairs.

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
        The two sides of the pairs.
    train, validation : (n,) int
        Positions of pairs. Only these are read. There is one validation pair per compound.
    units : (pairs,) int
        Code of the unit of each pair: its compound or its treatment. With ``FitConfig.unique_compounds``, a unit
        occurs at most once in a batch.
    keys : (pairs,) str
        Field IDs, for messages.
    """

    field: Side
    compound: Side
    train: np.ndarray
    validation: np.ndarray
    units: np.ndarray
    keys: np.ndarray

    @property
    def trained_units(self) -> np.ndarray:
        """Unit of each training pair."""
        return self.units[self.train]

    def names(self, pairs: np.ndarray) -> list[str]:
        """Field IDs of these pairs."""
        return [str(key) for key in self.keys[pairs]]


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
    the seed, is a validation pair. Pairs without input on one side are left out.

    Parameters
    ----------
    table
        Table ``examples`` without the test fold, so that the test fold cannot be read.
    sources
        Datasets that the views read, by name.
    views
        Settings of the views: ``field`` and ``compound``.
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
    train = np.flatnonzero(folds == "train")
    if not len(train):
        raise ValueError("the table examples has no field in the training fold")
    sides: dict[str, Side] = {}
    known = np.ones(len(folds), bool)
    for name, settings in views.items():
        view: View = settings.fit(table, sources, train, seed, progress)
        rows: Rows = view.rows(table, sources)
        known &= rows.known
        sides[name] = Side(view, rows)
    train = train[known[train]]
    if not len(train):
        raise ValueError("no field of the training fold has an input on both sides of the model")
    candidates = np.flatnonzero((folds == "validation") & known)
    validation = candidates[one_field_per_unit(compounds[candidates], np.random.default_rng([seed, 1]))]
    units = np.unique(np.asarray(table[unit]), return_inverse=True)[1]
    keys = np.asarray(table["field_id"])
    return PairData(sides["field"], sides["compound"], train, validation, units, keys), known

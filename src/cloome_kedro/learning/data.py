"""What a training reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloome_kedro.learning.batches import one_field_per_unit
from cloome_kedro.learning.views.base import Read, Rows, Table, View


@dataclass(frozen=True)
class Side:
    """One side of the pairs.

    Attributes
    ----------
    view
        Makes the encoder's input of what is read.
    read
        Positions of pairs (B,) -> what is read of them, (B, ...).
    identity
        Tells the content apart.
    """

    view: View
    read: Read
    identity: str


@dataclass(frozen=True)
class PairData:
    """Pairs of a field and the compound that it shows, and which of them train and validate.

    Attributes
    ----------
    field, compound
        The two sides.
    train, validation : (n,) int
        Positions of pairs; no others are read. There is one validation pair for each compound.
    units : (pairs,) int
        Code of what a batch holds once where it holds nothing twice: the compound, or its treatment.
    keys : (pairs,) str
        Names of the fields, for messages.
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
        """Names of the fields of some pairs."""
        return [str(key) for key in self.keys[pairs]]


def pair_data(
    table: Table,
    sources: Mapping[str, Any],
    views: Mapping[str, Any],
    seed: int,
    unit: str = "structure_row",
    progress: bool = True,
) -> tuple[PairData, np.ndarray]:
    """Fit the views on the training fold, and open the pairs of the training and the validation fold.

    Train on the fields of the fold ``train``, validate on one seeded field of each compound of the fold ``validation``.
    Pairs that a view has no input of are left out.

    Parameters
    ----------
    table
        Table ``examples``, without the test fold: what is not in it cannot be read.
    sources
        Datasets that the views read, by name.
    views
        Settings of the views of ``field`` and ``compound``.
    seed
        Of the validation fields, and of what the views draw.
    unit
        Column of what a batch holds once: ``structure_row`` or ``treatment``.

    Returns
    -------
    PairData
        Positions are rows of ``table``.
    known : (rows,) bool
        Rows of ``table`` that both views have an input of.

    Raises
    ------
    ValueError
        If no pair is in the training fold, or as the views do.
    """
    folds, compounds = np.asarray(table["fold"]), np.asarray(table["structure_row"])
    train = np.flatnonzero(folds == "train")
    if not len(train):
        raise ValueError("no field of a compound of the training fold is among the examples")
    sides: dict[str, Side] = {}
    known = np.ones(len(folds), bool)
    for name, settings in views.items():
        view: View = settings.fit(table, sources, train, seed, progress)
        rows: Rows = view.rows(table, sources)
        known &= rows.known
        sides[name] = Side(view, rows.read, rows.identity)
    train = train[known[train]]
    if not len(train):
        raise ValueError("no field of a compound of the training fold has an input on both sides of the model")
    held_out = np.flatnonzero((folds == "validation") & known)
    validation = held_out[one_field_per_unit(compounds[held_out], np.random.default_rng([seed, 1]))]
    units = np.unique(np.asarray(table[unit]), return_inverse=True)[1]
    keys = np.asarray(table["field_id"])
    return PairData(sides["field"], sides["compound"], train, validation, units, keys), known

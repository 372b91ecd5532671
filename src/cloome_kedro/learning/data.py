"""What a training reads."""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.learning.batches import ReadFields, one_field_per_unit


@dataclass(frozen=True)
class PairData:
    """Fields, the structures that they show, and who trains and who validates.

    Attributes
    ----------
    read : callable
        Positions of fields (B,) -> (B, C, H, W) uint8 images, or whatever else the model's image side takes; called
        from threads, and pickled where several devices train.
    structures : (fields,) int
        Row of ``fingerprints`` of each field.
    fingerprints : (compounds, bits / 8) uint8
        Packed by ``numpy.packbits``.
    train, validation : (n,) int
        Positions of fields; no others are read. Those for validation are one a compound.
    units : (fields,) int, optional
        What a batch holds once where it holds nothing twice; the structures by default.
    keys : (fields,) str, optional
        Names of fields for messages.
    """

    read: ReadFields
    structures: np.ndarray
    fingerprints: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    units: np.ndarray | None = None
    keys: np.ndarray | None = None

    @classmethod
    def by_fold(
        cls,
        read: ReadFields,
        structures: np.ndarray,
        fingerprints: np.ndarray,
        folds: np.ndarray,
        seed: int,
        units: np.ndarray | None = None,
        keys: np.ndarray | None = None,
    ) -> "PairData":
        """Train on the fields of the fold ``train``, validate on a seeded one of each compound of ``validation``.

        Parameters
        ----------
        folds : (fields,) str
            Fold of each field.
        seed : int
            Of the draw.

        Raises
        ------
        ValueError
            If no field is in the training fold.
        """
        train, held_out = np.flatnonzero(folds == "train"), np.flatnonzero(folds == "validation")
        if not len(train):
            raise ValueError("no field of a compound of the training fold is in pairs: see folds and pairs")
        validation = held_out[one_field_per_unit(structures[held_out], np.random.default_rng([seed, 1]))]
        return cls(read, structures, fingerprints, train, validation, units, keys)

    @property
    def trained_units(self) -> np.ndarray:
        """Unit of each training field."""
        return (self.structures if self.units is None else self.units)[self.train]

    def names(self, fields: np.ndarray) -> list[str]:
        """Names of fields, their positions where they have none."""
        return [str(key) for key in (fields if self.keys is None else self.keys[fields])]

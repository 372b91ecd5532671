"""Mean average precision of methods of a screen, with and without corrections of batch effects."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.average_precision import well_means
from cloome_kedro.evaluation.corrected_methods import Plates, correct_methods, corrected_pairs
from cloome_kedro.evaluation.corrections import Correction
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.methods import Method, Methods
from cloome_kedro.evaluation.precision_comparison import COLUMNS, PARTS, compare_precision


def precision_of_corrections(
    fields: pd.DataFrame,
    methods: Methods,
    corrections: Sequence[Correction],
    minimum_controls: int = 8,
    chosen: Sequence[str] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Mean average precision of each method with and without corrections, and the paired differences.

    Corrections map fields, as in zero-shot classification. Then the vectors of the fields of a well are averaged.
    Controls are divided by :func:`~cloome_kedro.evaluation.precision_comparison.compare_precision`.

    Parameters
    ----------
    fields
        Columns ``field_id``, ``plate``, ``well``, ``inchikey``, ``moa`` and ``control``, one row per field.
    methods
        Methods. Each is measured on the wells whose fields it knows.
    corrections
        Corrections.
    minimum_controls
        Control fields that a plate needs for a correction of its own. Where a part of the controls is left out, the
        number is smaller by this part, so that the same plates have a correction of their own.
    chosen
        Names of the methods that are corrected. None: all.
    settings
        Settings of ``compare_precision``: ``confidence``, ``resamples`` and ``seed``.

    Returns
    -------
    pandas.DataFrame
        Columns of ``compare_precision``. A method that no correction could be fitted to has no row.

    Raises
    ------
    ModuleNotFoundError
        If copairs is not installed.
    """
    labels = [correction.label for correction in corrections]
    tables = []
    for name, method in methods.items():
        if chosen is not None and name not in chosen:
            continue
        known = fields[method.fields.knows(fields["field_id"])].reset_index(drop=True)
        corrected = _Wells(name, method, known, corrections, minimum_controls)
        if not (pairs := corrected_pairs(corrected.by_all_controls, labels)):
            continue
        table = compare_precision(corrected.wells, corrected.methods, pairs, **settings)
        tables.append(table[table["method"].isin({of_pair for pair in pairs for of_pair in pair})])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


class _Wells:
    """Vectors of the wells of a method, corrected on chosen controls.

    Attributes
    ----------
    wells
        One row per well, whose ``field_id`` is ``<plate>/<well>``.
    control
        (W,) bool of these wells.
    """

    def __init__(
        self, name: str, method: Method, fields: pd.DataFrame, corrections: Sequence[Correction], minimum: int
    ):
        self.name, self.method, self.fields = name, method, fields
        self.corrections, self.minimum = corrections, minimum
        self.wells, _ = well_means(fields, method.fields.of(fields["field_id"]))
        self.wells["field_id"] = self.wells["plate"] + "/" + self.wells["well"]
        self.control = self.wells["control"].to_numpy(bool)

    def methods(self, fitted: np.ndarray) -> Methods:
        """Methods of wells: uncorrected, and corrected on the fields of the control wells ``fitted``, (W,) bool."""
        if fitted.sum() == self.control.sum():
            return self.by_all_controls
        return self._corrected(fitted, self.minimum * (PARTS - 1) // PARTS)

    @cached_property
    def by_all_controls(self) -> Methods:
        """Methods of wells: uncorrected, and corrected on the fields of all control wells."""
        return self._corrected(self.control, self.minimum)

    def _corrected(self, fitted: np.ndarray, minimum: int) -> Methods:
        of_field = (self.fields["plate"] + "/" + self.fields["well"]).isin(self.wells.loc[fitted, "field_id"])
        plates = self.fields[["field_id", "plate"]].assign(control=of_field & self.fields["control"].astype(bool))
        plain = {self.name: self.method}
        both = plain | correct_methods(plain, self.corrections, Plates(plates, max(minimum, 2)))
        return {name: self._averaged(method) for name, method in both.items()}

    def _averaged(self, method: Method) -> Method:
        _, means = well_means(self.fields, method.fields.of(self.fields["field_id"]))
        return Method(Embeddings(self.wells["field_id"].to_numpy(object), means), normalised=False)

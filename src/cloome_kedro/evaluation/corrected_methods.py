"""Methods whose vectors are corrected for batch effects, beside the methods as they are."""

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.corrections import Controls, Correction, Fitted
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Method, Methods
from cloome_kedro.words import RETRIEVAL, ZERO_SHOT

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plates:
    """Where fields are, and which of them are controls.

    Attributes
    ----------
    fields
        Columns ``field_id``, ``plate``, and ``control`` (bool).
    minimum_controls
        Controls that a plate needs for a correction of its own.
    """

    fields: pd.DataFrame
    minimum_controls: int = 8

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Plate of each field: (len(keys),) object. KeyError if a field is not in the table."""
        return self._by_field.loc[np.asarray(keys, object)].to_numpy(object)

    @cached_property
    def _by_field(self) -> pd.Series:
        return pd.Series(self.fields["plate"].to_numpy(object), index=self.fields["field_id"].to_numpy(object))

    @property
    def controls(self) -> np.ndarray:
        """Keys of the control fields."""
        return self.fields.loc[self.fields["control"], "field_id"].to_numpy(object)


def corrected_name(method: str, correction: str) -> str:
    """Name of a corrected method in tables.

    >>> corrected_name("CLOOME", "sphered")
    'CLOOME, sphered'
    """
    return f"{method}, {correction}"


def corrected_pairs(methods: Iterable[str], labels: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of each corrected method and the method that it corrects.

    Parameters
    ----------
    methods
        Names of all methods.
    labels
        Labels of the corrections.

    Examples
    --------
    >>> corrected_pairs(["CLOOME", "Profiles", "CLOOME, sphered"], ["sphered", "TVN"])
    [('CLOOME, sphered', 'CLOOME')]
    """
    names = list(methods)
    pairs = [(corrected_name(name, label), name) for name in names for label in labels]
    return [(corrected, name) for corrected, name in pairs if corrected in names]


def correct_methods(
    methods: Methods, corrections: Sequence[Correction], plates: Plates, chosen: Sequence[str] | None = None
) -> Methods:
    """Make the corrected methods of a split.

    A corrected method is evaluated in zero-shot classification as the method that it corrects. It is evaluated in
    retrieval if the correction maps compounds, too. It is not probed.

    Parameters
    ----------
    methods
        Methods as they are. The vectors of fields of a method that is corrected include those of controls.
    corrections
        Corrections.
    plates
        Plates of all fields.
    chosen
        Names of the methods that are corrected. None: all that have vectors of controls.

    Returns
    -------
    dict
        The corrected methods only. A method is left out with a warning if too few controls have vectors, or if these
        are all the same.
    """
    corrected: Methods = {}
    if not corrections:
        return corrected
    controls = plates.controls
    if not len(controls):
        logger.warning("no field is a control: params:corrections.use corrects nothing")
    for name, method in methods.items():
        if chosen is not None and name not in chosen:
            continue
        keys = controls[method.fields.knows(controls)]
        if chosen is None and not len(keys):
            continue
        try:
            references = Controls(method.fields.of(keys), plates.of(keys), plates.minimum_controls)
        except ValueError as error:
            logger.warning("%s is not evaluated %s: %s", name, ", ".join(each.label for each in corrections), error)
            continue
        for correction in corrections:
            try:
                fitted = correction.fit(references)
            except ValueError as error:
                logger.warning("%s is not evaluated %s: %s", name, correction.label, error)
                continue
            made = _corrected(method, fitted, plates, correction.label)
            if made.tasks:
                corrected[corrected_name(name, correction.label)] = made
                _log_fallback(corrected_name(name, correction.label), method, references, plates)
    return corrected


def _corrected(method: Method, fitted: Fitted, plates: Plates, label: str) -> Method:
    def embeddings(base: Embeddings, vectors: np.ndarray) -> Embeddings:
        vectors = unit_rows(vectors) if method.normalised else vectors
        meta = {**base.meta, "corrected": label}
        return dataclasses.replace(base, vectors=vectors.astype(np.float32), meta=meta)

    fields = embeddings(method.fields, fitted.fields(method.fields.vectors, plates.of(method.fields.keys)))
    compounds = None
    if method.compounds is not None and fitted.compounds is not None and RETRIEVAL in method.tasks:
        compounds = embeddings(method.compounds, fitted.compounds(method.compounds.vectors))
    possible = (*ZERO_SHOT, *([RETRIEVAL] if compounds is not None else []))
    tasks = tuple(task for task in method.tasks if task in possible)
    return dataclasses.replace(method, fields=fields, compounds=compounds, tasks=tasks)


def _log_fallback(name: str, method: Method, controls: Controls, plates: Plates) -> None:
    """Warn of plates with too few controls."""
    all_plates = sorted(set(map(str, plates.of(method.fields.keys))))
    if without := [plate for plate in all_plates if plate not in set(map(str, controls.by_plate))]:
        logger.warning(
            "%s: %d of %d plates have fewer than %d controls with vectors, the first is %s: they are corrected by the "
            "controls of all plates together",
            *(name, len(without), len(all_plates), plates.minimum_controls, without[0]),
        )

"""Fit of a ridge on some folds, and the inputs of its views."""

import logging
from dataclasses import dataclass
from typing import Any

from cloome_kedro.parameters import RidgeParameters

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RidgeData:
    """What a ridge reads: the rows of ``examples`` without the test fold, tables of all rows, and sources of views."""

    usable: Any
    fields: Any
    compounds: Any
    sources: dict[str, Any]


@dataclass(frozen=True)
class FittedRidge:
    """A ridge that was fitted for all strengths of regularisation, and the inputs of all fields and compounds.

    Attributes
    ----------
    profiles, structures : cloome_kedro.evaluation.methods.Embeddings
        Inputs of fields and of compounds.
    regression : cloome_kedro.evaluation.ridge.RidgeFits
        The regression.
    compounds
        Number of compounds that were learned from.
    views
        The fitted views of the sides ``field`` and ``compound``.
    identities
        Texts that identify the inputs of fields and of compounds, and the compounds that were learned from.
    """

    profiles: Any
    structures: Any
    regression: Any
    compounds: int
    views: dict[str, Any]
    identities: tuple[str, ...] = ()

    def knows(self, examples):
        """Which rows of ``examples`` have an input on both sides: (rows,) bool."""
        return self.profiles.knows(examples["field_id"]) & self.structures.knows(examples["inchikey"])

    def vectors(self, alpha: float) -> list[Any]:
        """Embeddings of fields and of compounds: vectors of length 1."""
        import numpy as np

        from cloome_kedro.evaluation.features import unit_rows
        from cloome_kedro.evaluation.methods import Embeddings

        predicted = self.regression.model(alpha).predict(self.structures.vectors)
        sides = ((self.profiles, self.profiles.vectors), (self.structures, predicted))
        return [Embeddings(side.keys, unit_rows(values).astype(np.float32), dict(side.meta)) for side, values in sides]

    def checkpoint(self, alpha: float, facts: dict[str, Any]):
        """All that embedding new fields and compounds needs.

        Parameters
        ----------
        alpha
            Strength of regularisation.
        facts
            Further entries of the config of the checkpoint.
        """
        import numpy as np
        import torch

        from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint
        from cloome_kedro.learning.views import VIEWS
        from cloome_kedro.words import RIDGE

        model = self.regression.model(alpha)
        config = {
            "format": FORMAT,
            "kind": RIDGE,
            "views": {side: VIEWS.describe(view) for side, view in self.views.items()},
            "kernel": model.kernel,
            "widths": list(model.widths),
            "alpha": alpha,
        }
        small = model.landmarks.astype(np.uint8)  # bits, and nearly all counts, need one byte
        tensors = {
            "landmarks": small if np.array_equal(small, model.landmarks) else model.landmarks,
            "coefficients": model.coefficients,
            "scale": np.float64(model.scale),
        }
        return Checkpoint(config | facts, {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})


def fit(data: RidgeData, folds: tuple[str, ...], model: RidgeParameters, seed: int) -> FittedRidge:
    """Fit the views and the regression on some folds."""
    import pandas as pd

    from cloome_kedro.evaluation.draws import mean_by_compound
    from cloome_kedro.evaluation.features import unit_rows
    from cloome_kedro.evaluation.ridge import Compounds, RidgeFits

    usable = data.usable
    train = usable["fold"].isin(folds).to_numpy()
    profiles, field_view, field_identity = _inputs("field", model, data, train, seed)
    structures, compound_view, compound_identity = _inputs("compound", model, data, train, seed)
    known = profiles.knows(usable["field_id"]) & structures.knows(usable["inchikey"])
    seen = usable[known & train].sort_values(["inchikey", "field_id"], ignore_index=True)
    if seen.empty:
        raise ValueError("no field of the training fold has an input on both sides of the ridge")
    keys, targets = mean_by_compound(profiles.of(seen["field_id"]), seen)
    position = pd.Index(structures.keys)
    regression = RidgeFits(
        Compounds(structures.vectors, model.kernel, compound_view.widths),
        position.get_indexer(pd.Index(keys)),
        unit_rows(targets) if model.unit_targets else targets,
        model.landmarks,
        seed,
    )
    identities = (field_identity, compound_identity, " ".join(keys))
    views = {"field": field_view, "compound": compound_view}
    return FittedRidge(profiles, structures, regression, len(keys), views, identities)


def _inputs(side: str, model: RidgeParameters, data: RidgeData, train, seed: int):
    """Fit the view of a side on rows of ``examples`` where ``train`` is true, and read all fields or compounds.

    Returns
    -------
    embeddings : Embeddings
        Input of each field or compound that has one.
    view : cloome_kedro.learning.views.base.View
        The fitted view.
    identity : str
        Text that differs if the inputs differ.
    """
    import numpy as np

    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.learning.embed import read_inputs

    table, key = (data.fields, "field_id") if side == "field" else (data.compounds, "inchikey")
    if not train.any():
        raise ValueError("the table examples has no field in the training fold")
    view = getattr(model, side).view.fit(data.usable, data.sources, np.flatnonzero(train), seed, progress=True)
    rows = view.rows(table, data.sources)
    known, keys = np.flatnonzero(rows.known), table[key].to_numpy()
    without_input = len(keys) - len(known)
    if without_input:
        logger.warning(
            "%d of %d %ss are left out, since the view of the ridge has no input for them; the first is %s",
            *(without_input, len(keys), side, keys[~rows.known][0]),
        )
    if not len(known):
        raise ValueError(f"the view of {side}s of the ridge has no input for any {side}")
    inputs = read_inputs(view, rows.read, known, rows.context)
    if inputs.ndim != 2:
        raise ValueError(f"{side}.view: a ridge needs a view of features, such as profiles, not images")
    return Embeddings(keys[known], inputs, {"without_input": without_input}), view, rows.identity

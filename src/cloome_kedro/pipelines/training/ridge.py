"""The node of a ridge: kernel ridge regression from structures to profiles, fitted and applied in one step."""

import logging

from cloome_kedro.parameters import RidgeParameters

logger = logging.getLogger(__name__)


def fit_ridge(*, examples, fields, compounds, model: RidgeParameters, seed: int, **sources):
    """Predict the profile of a compound from its structure, and choose the regularisation on the validation fold.

    The target of a training compound is the mean profile over its fields. The test fold is never read for the fit. All
    vectors have length 1: those of fields are their profiles in the space of the view, those of compounds are the
    predictions.

    Parameters
    ----------
    examples, fields, compounds : pandas.DataFrame
        Tables of these names.
    model
        Entry of the model under ``models:``.
    sources
        Datasets that the views of the model read.

    Returns
    -------
    field_embeddings, compound_embeddings : cloome_kedro.evaluation.methods.Embeddings
        Of all fields and compounds for which the views have an input.
    selection : pandas.DataFrame
        Table of this name: the tried strengths of regularisation.

    Raises
    ------
    ValueError
        If a view gives no vectors, if no training field has an input on both sides, or if the validation fold is too
        small.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro.evaluation.draws import mean_by_compound
    from cloome_kedro.evaluation.features import unit_rows
    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.evaluation.ridge import Compounds, RidgeFits
    from cloome_kedro.evaluation.selection import (
        best_candidate,
        match_quality,
        mean_quality,
        selection_table,
        validation_draws,
    )

    sources["fields"] = fields  # a view that scales by controls reads this table
    # The test fold is removed here, so that neither the views nor the fit can read it.
    usable = examples[examples["fold"] != "test"].reset_index(drop=True)
    train = (usable["fold"] == "train").to_numpy()
    table = compounds.assign(structure_row=np.arange(len(compounds)))
    profiles, field_view = _inputs("field", model.field.view, usable, fields, "field_id", sources, seed)
    structures, compound_view = _inputs("compound", model.compound.view, usable, table, "inchikey", sources, seed)

    known = profiles.knows(usable["field_id"]) & structures.knows(usable["inchikey"])
    seen = usable[known & train].sort_values(["inchikey", "field_id"], ignore_index=True)
    if seen.empty:
        raise ValueError("no field of the training fold has an input on both sides of the ridge")
    keys, targets = mean_by_compound(profiles.of(seen["field_id"]), seen)
    position = pd.Index(structures.keys)
    regression = RidgeFits(
        Compounds(structures.vectors, model.kernel, compound_view.widths),
        position.get_indexer(pd.Index(keys)),
        targets,
        model.landmarks,
        seed,
    )
    draws = validation_draws(usable, known, seed, model.draws)
    compared = position.get_indexer(pd.Index(draws[0]["inchikey"]))  # all draws have the same compounds
    images = [unit_rows(profiles.of(draw["field_id"])) for draw in draws]
    kernel = regression.kernel_with(compared)
    qualities: list[tuple[float, float]] = []
    for alpha in model.alphas:
        predicted = unit_rows(kernel @ regression.coefficients(alpha))
        qualities.append(mean_quality([match_quality(vectors @ predicted.T) for vectors in images]))
    settings = [pd.DataFrame({"setting": ["alpha"], "part": [None], "value": [alpha]}) for alpha in model.alphas]
    alpha = model.alphas[best_candidate(qualities)]
    logger.info(
        "ridge on %d compounds: alpha %g has the highest validation top-1, %.1f %% among %d compounds",
        *(len(keys), alpha, 100 * max(qualities)[0], len(compared)),
    )
    if len(set(model.alphas)) > 1 and alpha in (min(model.alphas), max(model.alphas)):
        logger.warning("alpha %g is at the end of `alphas`: add further values", alpha)
    coefficients = regression.coefficients(alpha)
    predictions = unit_rows(regression.predict(np.arange(len(structures.keys)), coefficients))
    facts = (model.kernel, regression.scale, structures.keys[regression.landmarks].tolist(), field_view, compound_view)
    common = {
        "split_hash": str(examples["split_hash"].iloc[0]),
        "seed": seed,
        "epoch": None,
        "weights": _digest(coefficients, repr(facts)),
        "normalised": True,
        "learned": False,  # the vectors of fields are profiles
    }
    return (
        Embeddings(profiles.keys, unit_rows(profiles.vectors).astype(np.float32), {**profiles.meta, **common}),
        Embeddings(structures.keys, predictions.astype(np.float32), {**structures.meta, **common}),
        selection_table(settings, qualities),
    )


def _inputs(side: str, settings, usable, table, key: str, sources, seed: int):
    """Fit a view on the training fold, and read the rows of a table.

    Returns
    -------
    embeddings : Embeddings
        Input of each row that has one, by the column ``key``.
    view : cloome_kedro.learning.views.base.View
        The fitted view.
    """
    import numpy as np
    import torch

    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.learning.batches import as_tensor

    train = np.flatnonzero((usable["fold"] == "train").to_numpy())
    if not len(train):
        raise ValueError("the table examples has no field in the training fold")
    view = settings.fit(usable, sources, train, seed, progress=True)
    rows = view.rows(table, sources)
    known, keys = np.flatnonzero(rows.known), table[key].to_numpy()
    without_input = len(keys) - len(known)
    if without_input:
        logger.warning(
            "%d of %d %ss are left out, since the view of the ridge has no input for them; the first is %s",
            *(without_input, len(keys), side, keys[~rows.known][0]),
        )
    blocks = []
    with torch.inference_mode():
        for start in range(0, len(known), 4096):
            batch = known[start : start + 4096]
            extra = () if rows.context is None else (as_tensor(rows.context[batch]),)
            blocks.append(view(as_tensor(rows.read(batch)), *extra).numpy())
            if blocks[-1].ndim != 2:
                raise ValueError(f"{side}.view: a ridge needs a view of features, such as profiles, not images")
    if not blocks:
        raise ValueError(f"the view of {side}s of the ridge has no input for any {side}")
    return Embeddings(keys[known], np.concatenate(blocks), {"without_input": without_input}), view


def _digest(array, text: str) -> str:
    """Hash of what a ridge has fitted."""
    import hashlib

    return hashlib.sha256(array.tobytes() + text.encode()).hexdigest()[:16]

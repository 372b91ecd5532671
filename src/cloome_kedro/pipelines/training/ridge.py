"""The node of a ridge: kernel ridge regression from structures to profiles, fitted and applied in one step."""

import hashlib
import logging

from cloome_kedro.parameters import RidgeParameters

logger = logging.getLogger(__name__)


def fit_ridge(
    *,
    examples,
    fields,
    compounds,
    model: RidgeParameters,
    seed: int,
    subfolder: str = "-/-",
    run_store=None,
    **sources,
):
    """Predict the profile of a compound from its structure, and choose the regularisation on the validation fold.

    The target of a training compound is the mean profile over its fields. The test fold is never read for a fit. All
    vectors have length 1: those of fields are their profiles in the space of the view, those of compounds are the
    predictions.

    With ``model.refit``, views and regression are fitted again on the training and the validation fold, after the
    regularisation was chosen. The vectors of the validation fold stay those of the first fit, which has not seen it. So
    its metrics, and the weights of a fusion that are chosen on it, are those of unseen compounds. The checkpoint holds
    the last fit.

    Parameters
    ----------
    examples, fields, compounds : pandas.DataFrame
        Tables of these names.
    model
        Entry of the model under ``models:``.
    subfolder
        Name of this fit in the record of runs: ``<split>/<model>``.
    run_store : cloome_kedro.run_store.RunStore
        Record of runs; None: the fit is not recorded.
    sources
        Datasets that the views of the model read.

    Returns
    -------
    field_embeddings, compound_embeddings : cloome_kedro.evaluation.methods.Embeddings
        Of all fields and compounds for which the views have an input. ``meta["fitted_on"]`` names the folds.
    selection : pandas.DataFrame
        Table of this name: the tried strengths of regularisation.
    checkpoint : cloome_kedro.learning.checkpoint.Checkpoint
        The ridge, which embeds new fields and compounds.

    Raises
    ------
    ValueError
        If a view gives no vectors, if no training field has an input on both sides, or if the validation fold is too
        small.
    """
    from cloome_kedro.run_store import Training, recorded

    with recorded(run_store, Training("ridge", subfolder, seed, model, examples)) as run:
        embedded, selection, checkpoint, data_hash = _fit_ridge(examples, fields, compounds, model, seed, sources)
        best = selection[selection["best"]].iloc[0]
        run.finish(
            weights=checkpoint.weights,
            data_hash=data_hash,
            selected_by="top1",
            validation={name: float(best[name]) for name in ("validation_top1", "validation_mrr")},
        )
    return *embedded, selection, checkpoint


def _fit_ridge(examples, fields, compounds, model: RidgeParameters, seed: int, sources):
    """Fit the ridge; see :func:`fit_ridge`. The last value is a hash of its data."""
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.evaluation.methods import Embeddings
    from cloome_kedro.evaluation.selection import best_candidate, selection_table
    from cloome_kedro.pipelines.training.ridge_fit import RidgeData, fit

    sources["fields"] = fields  # a view that scales by controls reads this table
    # The test fold is removed here, so that neither the views nor the fit can read it.
    usable = examples[examples["fold"] != "test"].reset_index(drop=True)
    data = RidgeData(usable, fields, compounds.assign(structure_row=np.arange(len(compounds))), sources)
    fitted = fit(data, ("train",), model, seed)
    qualities = _qualities(fitted, usable, model, seed)
    settings = [pd.DataFrame({"setting": ["alpha"], "part": [None], "value": [alpha]}) for alpha in model.alphas]
    alpha = model.alphas[best_candidate(qualities)]
    logger.info(
        "ridge on %d compounds: alpha %g has the highest validation top-1, %.1f %%",
        *(fitted.compounds, alpha, 100 * max(qualities)[0]),
    )
    if len(set(model.alphas)) > 1 and alpha in (min(model.alphas), max(model.alphas)):
        logger.warning("alpha %g is at the end of `alphas`: add further values", alpha)
    vectors, last, fitted_on = fitted.vectors(alpha), fitted, ["train"]
    if model.refit:
        fitted_on.append("validation")
        last = fit(data, ("train", "validation"), model, seed)
        logger.info("the ridge was fitted again on %d compounds of the training and validation fold", last.compounds)
        held_out = usable[usable["fold"] == "validation"]
        keys = (held_out["field_id"], held_out["inchikey"])
        vectors = [_replace_rows(*sides) for sides in zip(last.vectors(alpha), vectors, keys, strict=True)]
    facts = {
        "split_hash": str(examples["split_hash"].iloc[0]),
        "seed": seed,
        "epoch": None,
        "fitted_on": fitted_on,
    }
    checkpoint = last.checkpoint(alpha, {**facts, "version": __version__})
    common = {
        **facts,
        "weights": checkpoint.weights,
        "normalised": True,
        "learned": False,  # the vectors of fields are profiles
    }
    embedded = [Embeddings(side.keys, side.vectors, {**side.meta, **common}) for side in vectors]
    data_hash = hashlib.sha256("\n".join(fitted.identities).encode()).hexdigest()[:16]
    return embedded, selection_table(settings, qualities), checkpoint, data_hash


def _qualities(fitted, usable, model: RidgeParameters, seed: int) -> list[tuple[float, float]]:
    """Top-1 and mean reciprocal rank in the validation fold, for each strength of regularisation."""
    import pandas as pd

    from cloome_kedro.evaluation.features import unit_rows
    from cloome_kedro.evaluation.selection import match_quality, mean_quality, validation_draws

    draws = validation_draws(usable, fitted.knows(usable), seed, model.draws)
    # All draws have the same compounds.
    compared = pd.Index(fitted.structures.keys).get_indexer(pd.Index(draws[0]["inchikey"]))
    images = [unit_rows(fitted.profiles.of(draw["field_id"])) for draw in draws]
    kernel = fitted.regression.kernel_with(compared)
    qualities = []
    for alpha in model.alphas:
        predicted = unit_rows(kernel @ fitted.regression.coefficients(alpha))
        qualities.append(mean_quality([match_quality(vectors @ predicted.T) for vectors in images]))
    return qualities


def _replace_rows(vectors, first, keys):
    """Replace the vectors of some keys by those of the first fit."""
    import numpy as np

    from cloome_kedro.evaluation.methods import Embeddings

    replaced = vectors.vectors.copy()
    rows = np.isin(vectors.keys, np.asarray(keys)) & first.knows(vectors.keys)
    replaced[rows] = first.of(vectors.keys[rows])
    return Embeddings(vectors.keys, replaced, vectors.meta)

"""Nodes of the bilinear baseline. Tables are those of :mod:`cloome_kedro.schemas` of the same name.

``field_profiles`` is any table with ``field_id`` and numeric columns; columns called ``Metadata_...`` are no features.
"""

from cloome_kedro.parameters import BilinearParameters, FingerprintParameters, RetrievalParameters
from cloome_kedro.pipelines.bilinear.fitting import fit_bilinear
from cloome_kedro.pipelines.bilinear.inputs import fingerprint_rows, profiled_fields


def train_bilinear(
    bilinear_state,
    field_profiles,
    pairs,
    compounds,
    fingerprints,
    folds,
    parameters: BilinearParameters,
    fingerprint_settings: FingerprintParameters,
    seed: int,
    *,
    split: str,
):
    """Train on the training fold, choose the epoch on the validation fold; profiles of the test fold are never read.

    Features are standardised by the training fold. Fields without a profile are left out, with a warning.

    Returns
    -------
    cloome_kedro.learning.checkpoint.Checkpoint, pandas.DataFrame
        The best epoch's model by the first metric of ``fit.keep``, and ``history``.

    Raises
    ------
    ValueError
        If tables do not fit one another, a profile is not finite, or no field of the training fold has one.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro import __version__
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.learning.bilinear import describe_bilinear
    from cloome_kedro.learning.checkpoint import Checkpoint
    from cloome_kedro.schemas import history as history_table

    result, columns, preprocess = fit_bilinear(
        bilinear_state,
        field_profiles,
        pairs,
        compounds,
        fingerprints,
        folds,
        parameters,
        fingerprint_settings,
        seed,
        split,
    )
    metric = parameters.fit.keep[0]
    best = result.best[metric]
    measured = {k: v for k, v in result.history[best.epoch].items() if k.startswith("validation_") and np.isfinite(v)}
    config = describe_bilinear(columns, fingerprint_settings.bits, parameters.fit, preprocess) | {
        "fingerprints": fingerprint_settings.model_dump(mode="json"),
        "split_hash": split_hash(folds),
        "seed": seed,
        "selected_by": metric,
        "epoch": best.epoch,
        "validation": measured,
        "version": __version__,
    }
    # Without validation compounds there are no validation columns; the table has them all the same.
    history = pd.DataFrame(result.history, columns=list(history_table.columns))
    return Checkpoint(config, best.tensors), history.assign(best=history["epoch"] == best.epoch)


def rank_by_bilinear(
    bilinear_checkpoint,
    field_profiles,
    pairs,
    compounds,
    fingerprints,
    folds,
    parameters: RetrievalParameters,
    seed: int,
    *,
    split: str,
):
    """Rank the queries of CLOOME by the bilinear score: ``ranks``.

    A compound whose drawn field has no profile is left out of that draw, as query and as candidate, with a warning. The
    score of a compound that all its fields show is the mean over those with a profile.

    Raises
    ------
    ValueError
        If the baseline was trained on other folds, columns or fingerprints, or no query of a draw has a profile.
    """
    import pandas as pd

    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.evaluation.draws import draw_queries, mean_by_compound
    from cloome_kedro.evaluation.retrieval import both_ways, field_ranks, fold_fields, mean_ranks
    from cloome_kedro.learning.batches import as_tensor
    from cloome_kedro.learning.bilinear import build_bilinear, standardise_of
    from cloome_kedro.learning.embed import embed_structures

    if (found := bilinear_checkpoint.config["split_hash"]) != (expected := split_hash(folds)):
        raise ValueError(
            f"{split}.bilinear_checkpoint is of folds {found}, not of {split}.folds {expected}: it may have been "
            "trained on test compounds. Run the pipeline bilinear of this split again."
        )
    model = build_bilinear(bilinear_checkpoint)
    if (bits := fingerprints.shape[1] * 8) != (trained_on := model.weight.shape[1]):
        raise ValueError(
            f"fingerprints have {bits} bits, {split}.bilinear_checkpoint was trained on {trained_on}: "
            "run the pipeline bilinear again"
        )
    fields = fold_fields(pairs, folds, parameters.fold, split)
    drawn = draw_queries(fields, seed, parameters.draws)
    profiled, profiles = profiled_fields(fields, field_profiles, split)
    queries = [table[table["field_id"].isin(profiled["field_id"])].reset_index(drop=True) for table in drawn]
    if any(table.empty for table in queries):
        raise ValueError(f"{split}: no field drawn from the {parameters.fold} fold has a row in field_profiles")
    standardise = standardise_of(bilinear_checkpoint, profiles.columns)
    images = model.encode_images(standardise(as_tensor(profiles.values))).numpy()
    keys, means = mean_by_compound(images, profiled)
    structures = embed_structures(
        model, fingerprints[fingerprint_rows(pd.DataFrame({"inchikey": keys}), compounds, fingerprints)], progress=False
    )
    row_of_field, row_of_compound = pd.Index(profiled["field_id"]), pd.Index(keys)
    spaces = (
        both_ways(
            images[row_of_field.get_indexer(table["field_id"])],
            structures[row_of_compound.get_indexer(table["inchikey"])],
        )
        for table in queries
    )
    by_field = field_ranks(queries, spaces, parameters.pool_size, seed)
    # The score is linear in the profile: that of the mean is the mean of scores.
    by_mean = mean_ranks(both_ways(means, structures), keys, parameters.pool_size, seed, parameters.draws)
    return pd.concat([by_field, by_mean], ignore_index=True).assign(split=split, method="Bilinear", images="clean")

"""Nodes of the probing pipeline. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import ProbingParameters

logger = logging.getLogger(__name__)


def probe_assays(
    image_embeddings,
    untrained_embeddings,
    field_profiles,
    cell_counts,
    assay_labels,
    compound_keys,
    pairs,
    folds,
    parameters: ProbingParameters,
    seed: int,
    *,
    split: str,
):
    """Fit a linear probe for each assay on CLOOME's embeddings, and on features that show what else would do.

    Returns
    -------
    tuple of pandas.DataFrame
        ``probing_scores``, ``probing_metrics``, ``probing_differences`` (CLOOME minus each other method). All are
        empty, with a warning, where no compound of the screen has a label.

    Raises
    ------
    ValueError
        If embeddings are of a model that was trained on other folds.
    KeyError
        If a field has no embedding.
    """
    from cloome_kedro import schemas
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import check_split
    from cloome_kedro.evaluation.assays import CLEAN, labels_of_screen, probe
    from cloome_kedro.evaluation.probe_metrics import summarise_probes

    expected = split_hash(folds)
    check_split(image_embeddings, "image_embeddings", expected, split, "test")
    check_split(untrained_embeddings, "untrained_embeddings", expected, split, "test")
    fields = pairs.merge(folds, on="inchikey", validate="many_to_one").sort_values("field_id", ignore_index=True)
    joined = labels_of_screen(assay_labels, compound_keys, fields["inchikey"].unique())
    tables = (schemas.probing_scores, schemas.metrics, schemas.differences)
    if joined.labels.empty:
        logger.warning("%s: no compound of the screen has an assay label, so there is nothing to probe", split)
        return tuple(schemas.empty(table) for table in tables)
    _tell(joined, assay_labels, split)

    fields = fields[fields["inchikey"].isin(joined.labels.index)].reset_index(drop=True)
    features = {
        "CLOOME": image_embeddings.of(fields["field_id"]),
        "Untrained": untrained_embeddings.of(fields["field_id"]),
        **_other_features(fields, field_profiles, cell_counts, split),
    }
    probed = probe(
        features, fields["inchikey"], fields["fold"], joined.labels, parameters.c_grid, level=parameters.level
    )
    comparisons = [(("CLOOME", CLEAN), (other, CLEAN), f"method {other}") for other in features if other != "CLOOME"]
    found = summarise_probes(
        probed, comparisons, parameters.unscorable, parameters.confidence, parameters.resamples, seed
    )
    if not probed.table["scored"].any():
        logger.warning("%s: none of %d assays can be scored: see probing_scores", split, joined.labels.shape[1])
    own = {"split": split, "split_hash": expected}
    results = zip(tables, (probed.table, *found), strict=True)
    return tuple(result.assign(**own)[list(table.columns)] for table, result in results)


def _other_features(fields, field_profiles, cell_counts, split: str) -> dict:
    """Classical profiles and confounders of the fields, by method."""
    from cloome_kedro.evaluation.confounders import confounder_vectors
    from cloome_kedro.evaluation.features import standardised_profiles

    profiles, missing = standardised_profiles(field_profiles, fields["field_id"], (fields["fold"] == "train"))
    features = confounder_vectors(fields, cell_counts)
    if missing.all():
        logger.warning("%s: no field has a profile: the method Profiles is left out", split)
        return features
    if missing.any():
        logger.warning("%s: %d of %d fields have no profile and get the mean", split, missing.sum(), len(missing))
    return {"Profiles": profiles, **features}


def _tell(joined, assay_labels, split: str) -> None:
    values = joined.labels.to_numpy()
    logger.info(
        "%s: %d of %d labelled compounds are in the screen, with %d labels (%d active) in %d assays",
        split,
        len(joined.labels),
        len(assay_labels),
        (values >= 0).sum(),
        (values == 1).sum(),
        values.shape[1],
    )
    if joined.conflicts:
        logger.warning(
            "%s: %d labels count as not measured, since several ids of the compound disagree", split, joined.conflicts
        )

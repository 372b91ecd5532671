"""How well replicates find each other by their profiles: a rough ceiling for models that read these profiles."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.rank_metrics import rank_metrics
from cloome_kedro.evaluation.ranks import match_ranks

_COLUMNS = ["metric", "value", "low", "high", "n", "chance"]


def replicate_retrieval(
    fields: pd.DataFrame, profiles: np.ndarray, top_k: Sequence[int], confidence: float = 0.95
) -> pd.DataFrame:
    """Find each compound on another plate by its profile.

    A query is the mean profile of a compound on its first plate, in the order of their names. The candidates are the
    mean profiles of all compounds over their other plates. They are ranked by the Pearson correlation with the query.
    Ties count against the match. Compounds on a single plate take no part. Structures and models are not used.

    Parameters
    ----------
    fields
        Columns ``inchikey`` and ``plate``, one row per treated field.
    profiles
        (N, d) features of these fields. Rows with a value that is not finite are left out.
    top_k
        The k of the top-k accuracies.
    confidence
        Level of the exact (Clopper-Pearson) intervals of proportions.

    Returns
    -------
    One row per metric: metric, value, low, high (null if it is no proportion), n (number of compounds) and chance. No
    rows if fewer than two compounds are on several plates.
    """
    usable = np.isfinite(profiles).all(axis=1)
    fields, profiles = fields[usable].reset_index(drop=True), profiles[usable]
    first = fields.groupby("inchikey")["plate"].transform("min")
    is_query = (fields["plate"] == first).to_numpy()
    keys = np.intersect1d(fields.loc[is_query, "inchikey"], fields.loc[~is_query, "inchikey"])
    if len(keys) < 2:
        return pd.DataFrame(columns=_COLUMNS)
    queries, candidates = (
        unit_rows(_centred(_means(profiles[rows], fields["inchikey"].to_numpy()[rows], keys)))
        for rows in (is_query, ~is_query)
    )
    ranks = match_ranks(queries, candidates, np.arange(len(keys)))
    sizes = np.full(len(keys), len(keys))
    table = []
    for metric in rank_metrics(top_k):
        value, low, high = metric.value(ranks, sizes), None, None
        if metric.proportion:
            low, high = exact_interval(round(value * len(keys)), len(keys), confidence)
        table.append((metric.name, value, low, high, len(keys), metric.chance(sizes)))
    return pd.DataFrame(table, columns=_COLUMNS)


def _means(profiles: np.ndarray, keys_of_rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean profile of each key, (len(keys), d) float64."""
    place = np.searchsorted(keys, keys_of_rows)
    known = keys[np.minimum(place, len(keys) - 1)] == keys_of_rows
    place, order = place[known], np.argsort(place[known], kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(keys)))
    sums = np.add.reduceat(profiles[known][order].astype(float), starts, axis=0)
    return sums / np.bincount(place, minlength=len(keys))[:, None]


def _centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(axis=1, keepdims=True)

"""Results of all folds of a cross-validation together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.intervals import exact_interval


def pool_folds(metrics: pd.DataFrame, splits: Sequence[str], name: str, confidence: float = 0.95) -> pd.DataFrame:
    """Add up the proportions of single draws over the splits of a cross-validation, such as top-k accuracies.

    Each compound is a test compound in one split, so the queries of all splits are different ones. Each query was
    ranked among the candidates of its split, by a model that was trained for this split.

    Parameters
    ----------
    metrics
        Table ``metrics`` of several splits.
    splits
        Names of the splits.
    name
        Name of all splits together, for the column ``split``.
    confidence
        Level of the exact intervals.

    Returns
    -------
    Rows of ``metrics`` with the split ``name``; for a random ranking, the mean of its exact chance. Settings that a
    split lacks are left out. Sizes of pools and chance are means over queries.
    """
    is_proportion = metrics["successes"].notna() | metrics["metric"].str.startswith("top-")
    rows = metrics[metrics["split"].isin(splits) & (metrics["draws"] == 1) & is_proportion]
    setting = ["task", "method", "images", "direction", "pool", "shown_by", "excluded", "metric"]
    pooled = []
    for _, group in rows.groupby(setting, sort=False, dropna=False):
        if group["split"].nunique() < len(splits):
            continue
        means = {
            column: np.average(group[column].astype(float), weights=group["n"])
            for column in ("value", "candidates", "chance")
        }
        sums = {"n": int(group["n"].sum()), "compounds": int(group["compounds"].sum())}
        row = group.iloc[0].to_dict() | {"split": name} | means | sums
        if group["successes"].notna().all():  # the exact chance of a random ranking has no successes
            successes = int(group["successes"].sum())
            low, high = exact_interval(successes, sums["n"], confidence)
            row |= {"successes": successes, "value": successes / sums["n"], "low": low, "high": high}
        pooled.append(row)
    return pd.DataFrame(pooled, columns=metrics.columns)

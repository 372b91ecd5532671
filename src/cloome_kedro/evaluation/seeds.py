"""The same metrics of several trainings that differ in their seed alone."""

import pandas as pd

from cloome_kedro.evaluation.summary import SETTING
from cloome_kedro.words import RANDOM


def spread_over_seeds(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of every metric over seeds.

    Parameters
    ----------
    metrics
        Rows of tables ``metrics``, with the column ``seed``.

    Returns
    -------
    pd.DataFrame
        Table ``seeds_metrics``: the setting, draws and metric; ``value``, the mean over seeds; ``spread``, their
        standard deviation (with n - 1; missing for a single seed); ``lowest`` and ``highest``; ``seeds``, which, and
        ``n_seeds``, how many; means of ``candidates`` and ``chance``. Since ``chance`` is a column, rows of the method
        Random are left out.

    Raises
    ------
    ValueError
        If a seed has a metric twice, or seeds of a split have other folds than each other.
    """
    metrics = metrics[metrics["method"] != RANDOM]
    keys = [*SETTING, "draws", "metric"]
    if (double := metrics.duplicated([*keys, "seed"])).any():
        raise ValueError(f"a metric is there twice: {metrics.loc[double, [*keys, 'seed']].iloc[0].to_dict()}")
    folds = metrics.groupby(["split", "seed"])["split_hash"].unique().explode().reset_index()
    for split, of_split in folds.groupby("split"):
        if of_split["split_hash"].nunique() > 1:
            which = ", ".join(f"seed {row.seed} of {row.split_hash}" for row in of_split.itertuples())
            raise ValueError(
                f"split {split}: seeds are of different folds ({which}): run those of old folds again, or remove them"
            )
    groups = metrics.sort_values("seed", kind="stable").groupby(keys, sort=False, dropna=False)
    table = groups.agg(
        value=("value", "mean"),
        spread=("value", "std"),
        lowest=("value", "min"),
        highest=("value", "max"),
        n_seeds=("seed", "size"),
        seeds=("seed", lambda seeds: ", ".join(map(str, seeds))),
        candidates=("candidates", "mean"),
        chance=("chance", "mean"),
        split_hash=("split_hash", "first"),
    )
    return table.reset_index()

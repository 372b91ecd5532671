"""Metrics of several trainings that differ only in their seed."""

import pandas as pd

from cloome_kedro.evaluation.summary import SETTING
from cloome_kedro.words import RANDOM


def spread_over_seeds(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of every metric over seeds.

    Parameters
    ----------
    metrics
        Rows of tables ``metrics``, with a further column ``seed``. Rows of the method ``Random`` are left out, since
        the column ``chance`` holds the same numbers.

    Returns
    -------
    pandas.DataFrame
        Table ``seeds_metrics``. It has one row per setting, ``draws`` and metric, with the columns

        - ``value``: mean over seeds;
        - ``spread``: standard deviation over seeds, with n - 1 in the denominator; missing for a single seed;
        - ``lowest`` and ``highest`` value;
        - ``seeds`` (for example ``0, 1, 2``) and their number, ``n_seeds``;
        - ``candidates`` and ``chance``: means over seeds.

    Raises
    ------
    ValueError
        If a metric has two rows of one seed, or if the folds of a split differ between seeds.
    """
    metrics = metrics[metrics["method"] != RANDOM]
    keys = [*SETTING, "draws", "metric"]
    if (double := metrics.duplicated([*keys, "seed"])).any():
        row = metrics.loc[double, [*keys, "seed"]].iloc[0].to_dict()
        raise ValueError(f"metrics: there are two rows of {row}: give each run once")
    folds = metrics.groupby(["split", "seed"])["split_hash"].unique().explode().reset_index()
    for split, seeds in folds.groupby("split"):
        if seeds["split_hash"].nunique() > 1:
            hashes = ", ".join(f"seed {row.seed}: {row.split_hash}" for row in seeds.itertuples())
            raise ValueError(
                f"split {split}: the seeds were run with different folds ({hashes}). Run the seeds with old folds "
                "again, or remove them"
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

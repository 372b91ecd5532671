"""Nodes of the pipeline ``seeds``."""

import logging

from cloome_kedro.parameters import StudyParameters

logger = logging.getLogger(__name__)


def gather_seeds(metrics_of_seeds, study: StudyParameters):
    """Compute mean and spread of every metric over seeds.

    Parameters
    ----------
    metrics_of_seeds : dict of str to pandas.DataFrame
        Tables ``metrics`` by their paths ``<split>/<variant>/seed_<seed>/metrics.parquet``. The winner of a search is
        a separate split, ``<split>_tuned``.

    Returns
    -------
    seeds_metrics, seeds_summary (text)

    Raises
    ------
    ValueError
        If a file is not a table of metrics, or if seeds of a split have different folds.
    """
    from pathlib import PurePosixPath

    import pandas as pd

    from cloome_kedro.evaluation.seeds import spread_over_seeds
    from cloome_kedro.reporting.seeds import format_seeds
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.schemas import metrics as metrics_table

    tables = []
    for path, table in metrics_of_seeds.items():
        if differing := sorted(set(metrics_table.columns) ^ set(table.columns)):
            raise ValueError(
                f"{path} is not a table of metrics of this version: it lacks columns, or has unknown ones"
                f" ({', '.join(differing)}). Run the evaluation of this seed again, or delete the file"
            )
        split, _, seed, _ = PurePosixPath(path).parts
        tables.append(table.assign(split=split, seed=int(seed.removeprefix("seed_"))))
    metrics = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    for split, seeds in metrics.groupby("split")["seed"].unique().items():
        logger.info("split %s: found metrics of the seeds %s", split, ", ".join(map(str, sorted(seeds))))
    seeds_metrics = spread_over_seeds(metrics)
    return seeds_metrics, format_seeds(seeds_metrics, Look(models=study.models))

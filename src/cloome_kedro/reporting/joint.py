"""Results of all folds of a cross-validation together, for the report and the terminal."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cloome_kedro.evaluation.folds import pool_folds
from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.tables import format_retrieval, retrieval_tables
from cloome_kedro.reporting.tasks_text import format_tasks
from cloome_kedro.words import RETRIEVAL


def joint_metrics(metrics: pd.DataFrame, kinds: Mapping[str, Sequence[str]], confidence: float) -> pd.DataFrame:
    """Retrieval over all folds of each cross-validation: rows of ``metrics``, with one split per cross-validation.

    Parameters
    ----------
    metrics
        Table of this name, all splits.
    kinds
        Kind of each cross-validation, such as ``scaffold_fold`` -> names of its splits. Kinds with a single split are
        left out.
    confidence
        Level of the intervals.
    """
    retrieval = metrics[metrics["task"] == RETRIEVAL]
    pooled = [
        pool_folds(retrieval, splits, f"{len(splits)} × {kind}", confidence)
        for kind, splits in kinds.items()
        if len(splits) > 1
    ]
    return pd.concat(pooled, ignore_index=True) if pooled else metrics.iloc[:0]


def joint_tables(metrics: pd.DataFrame, look: Look) -> dict[str, pd.DataFrame]:
    """Tabulate :func:`joint_metrics`: heading -> table, one row per direction, method and way to show a compound."""
    absent = ["top-1 over draws", "median rank"]
    return {
        f"{split}: {heading}": table.drop(columns=absent)
        for split, rows in metrics.groupby("split", sort=False)
        for heading, table in retrieval_tables(rows, look).items()
    }


def format_results(metrics: pd.DataFrame, joint: pd.DataFrame, look: Look, confidence: float, fold: str) -> str:
    """Format the main results of all splits, and :func:`joint_metrics`, as text for the terminal."""
    retrieval = pd.concat([metrics[metrics["task"] == RETRIEVAL], joint], ignore_index=True)
    texts = [format_retrieval(retrieval, look, confidence, fold), format_tasks(metrics, look, confidence, fold)]
    return "\n\n".join(text for text in texts if text)

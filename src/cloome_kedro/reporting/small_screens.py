"""Results of screens that are too small: a ranking of a single candidate says nothing, although it is always right."""

import pandas as pd

from cloome_kedro.words import PROBING, ZERO_SHOT_MOA, counted


def evaluable(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that rank at least two candidates, and those without candidates, such as probing.

    Parameters
    ----------
    table
        Table ``ranks`` or ``metrics``.
    """
    return table[table["candidates"].isna() | (table["candidates"] > 1)]


def why_not(rows: pd.DataFrame, task: str, fold: str = "test") -> str:
    """Say why a task cannot be evaluated, such as ``cannot be evaluated: 1 test compound``.

    Parameters
    ----------
    rows
        Rows of the table ``metrics`` of one split and task.
    task
        Name of the task.
    fold
        Name of the fold that was evaluated.

    Returns
    -------
    str
        Empty if the task can be evaluated or has no results.
    """
    if rows.empty or len(evaluable(rows)):
        return ""
    kind = f"mechanism among the {fold} compounds" if task == ZERO_SHOT_MOA else "candidate"
    kind = f"{fold} compound" if rows["compounds"].max() == 1 else kind
    return f"cannot be evaluated: {counted(1, kind)}"


def reasons_by_task(metrics: pd.DataFrame, fold: str = "test") -> dict[str, str]:
    """Map each task that cannot be evaluated to the reason, see :func:`why_not`.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split.
    fold
        Name of the fold that was evaluated.
    """
    rows_by_task = metrics[metrics["task"] != PROBING].groupby("task", sort=False)
    reasons = {str(task): why_not(rows, str(task), fold) for task, rows in rows_by_task}
    return {task: reason for task, reason in reasons.items() if reason}

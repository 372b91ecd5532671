"""Zero-shot classification and probing as text for the terminal."""

import pandas as pd

from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.tables import NOTHING, auc_text, percent_text, text_lines
from cloome_kedro.words import CLEAN, PROBING, ZERO_SHOT, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

#: task -> the metric that is shown, and its heading
_SHOWN = {
    ZERO_SHOT_COMPOUND: ("top-1", "compound, top-1"),
    ZERO_SHOT_MOA: ("top-1", "MoA, top-1"),
    PROBING: ("mean AUC", "assays, mean AUC"),
}


def format_tasks(metrics: pd.DataFrame, look: Look, confidence: float = 0.95) -> str:
    """Clean images and the publication's protocol: nothing excluded, a single draw; one block per split.

    The text is empty where the study has neither task.

    Parameters
    ----------
    metrics
        Table ``metrics`` of all tasks and splits.
    look
        Order of methods.
    confidence
        Of the intervals.
    """
    wanted = metrics["metric"] == metrics["task"].map({task: metric for task, (metric, _) in _SHOWN.items()})
    published = (metrics["draws"] == 1) & (metrics["images"] == CLEAN) & (metrics["pool"] != "same plate")
    rows = metrics[wanted & published & metrics["excluded"].fillna("none").eq("none")]
    if rows.empty:
        return ""
    lines = [f"Zero-shot classification and probing, with {100 * confidence:g} % intervals{look.warning}"]
    for split, group in rows.groupby("split", sort=False):
        cells = pd.DataFrame(
            {
                heading: group[group["task"] == task].drop_duplicates("method").set_index("method").apply(_cell, axis=1)
                for task, (_, heading) in _SHOWN.items()
                if task in set(group["task"])
            }
        )
        table = cells.reindex(look.in_order(cells.index)).fillna(NOTHING).rename_axis("method").reset_index()
        lines += ["", f"{split} split", *text_lines(table, left=1)]
    if rows["task"].isin(ZERO_SHOT).any():
        lines += ["", "Intervals of top-1 take fields of one compound as independent: they are too narrow."]
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    """``12.3 % (9.1–16.0)``, of probing ``0.713 (0.690–0.735)``."""
    return (auc_text if row["task"] == PROBING else percent_text)(row.to_dict())

"""Zero-shot classification and probing as text for the terminal."""

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, auc_text, percent_text, text_lines
from cloome_kedro.reporting.small_screens import evaluable, reasons_by_task
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import CLEAN, PROBING, ZERO_SHOT, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

#: task -> the metric that the text shows, and its heading
_SHOWN = {
    ZERO_SHOT_COMPOUND: ("top-1", "compound, top-1"),
    ZERO_SHOT_MOA: ("top-1", "MoA, top-1"),
    PROBING: ("mean AUC", "assays, mean AUC"),
}


def format_tasks(metrics: pd.DataFrame, look: Look, confidence: float = 0.95, fold: str = "test") -> str:
    """Format the single draw of the published protocols on clean images, one block per split.

    The parameters are those of :func:`cloome_kedro.reporting.tables.format_retrieval`, but ``metrics`` has all tasks.
    The text is empty if the study has neither zero-shot classification nor probing.
    """
    is_shown = metrics["metric"] == metrics["task"].map({task: metric for task, (metric, _) in _SHOWN.items()})
    is_published = (metrics["draws"] == 1) & (metrics["images"] == CLEAN) & (metrics["pool"] != "same plate")
    rows = metrics[is_shown & is_published & metrics["excluded"].fillna("none").eq("none")]
    if rows.empty:
        return ""
    lines = [f"Zero-shot classification and probing, with {100 * confidence:g} % intervals{look.warning}"]
    for split, group in rows.groupby("split", sort=False):
        for task, reason in reasons_by_task(group, fold).items():
            lines += ["", f"{split} split: {task} {reason}"]
        group = evaluable(group)
        if group.empty:
            continue
        cells = pd.DataFrame(
            {
                heading: group[group["task"] == task].drop_duplicates("method").set_index("method").apply(_cell, axis=1)
                for task, (_, heading) in _SHOWN.items()
                if task in set(group["task"])
            }
        )
        table = cells.reindex(look.in_order(cells.index)).fillna(ABSENT).rename_axis("method").reset_index()
        lines += ["", f"{split} split", *text_lines(table, left=1)]
    if evaluable(rows)["task"].isin(ZERO_SHOT).any():
        lines += [
            "",
            "Intervals of top-1 assume independent fields. Fields of one compound are not independent, so the intervals"
            " are too narrow.",
        ]
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    return (auc_text if row["task"] == PROBING else percent_text)(row.to_dict())

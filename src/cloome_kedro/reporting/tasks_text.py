"""Zero-shot classification and probing as text for the terminal."""

import pandas as pd

from cloome_kedro.reporting.style import CLEAN, in_order
from cloome_kedro.reporting.tables import NOTHING, SIMULATED, auc_text, percent_text, text_lines

#: task -> the metric that is shown, and its heading
TASKS = {
    "zero-shot compound": ("top-1", "compound, top-1"),
    "zero-shot MoA": ("top-1", "MoA, top-1"),
    "probing": ("mean AUC", "assays, mean AUC"),
}


def format_tasks(metrics: pd.DataFrame, simulated: bool, confidence: float = 0.95) -> str:
    """One block a split, of clean images and the publication's protocol: nothing excluded, a single draw.

    Parameters
    ----------
    metrics : tables ``metrics`` of all tasks and splits, joined

    Returns
    -------
    The text, empty where the study has neither.
    """
    wanted = metrics["metric"] == metrics["task"].map({task: metric for task, (metric, _) in TASKS.items()})
    published = (metrics["draws"] == 1) & (metrics["images"] == CLEAN) & (metrics["pool"] != "same plate")
    rows = metrics[wanted & published & metrics["excluded"].fillna("none").eq("none")]
    if rows.empty:
        return ""
    note = f" — {SIMULATED}" if simulated else ""
    lines = [f"Zero-shot classification and probing, with {100 * confidence:g} % intervals{note}"]
    for split, group in rows.groupby("split", sort=False):
        cells = pd.DataFrame(
            {
                heading: group[group["task"] == task].drop_duplicates("method").set_index("method").apply(_cell, axis=1)
                for task, (_, heading) in TASKS.items()
                if task in set(group["task"])
            }
        )
        table = cells.reindex(in_order(cells.index)).fillna(NOTHING).rename_axis("method").reset_index()
        lines += ["", f"{split} split", *text_lines(table, left=1)]
    if rows["task"].str.startswith("zero-shot").any():
        lines += ["", "Intervals of top-1 take fields of one compound as independent: they are too narrow."]
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    """``12.3 % (9.1–16.0)``, of probing ``0.713 (0.690–0.735)``."""
    return (auc_text if row["task"] == "probing" else percent_text)(row.to_dict())

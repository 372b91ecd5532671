"""Metrics over seeds as text for the terminal."""

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, text_lines
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, RETRIEVAL, TASKS

_KEYS = ["split", "task", "direction", "method"]


def format_seeds(seeds_metrics: pd.DataFrame, look: Look) -> str:
    """Format top-1 (for probing, the mean AUC) of every method on clean images as mean ± SD over seeds.

    The text shows the protocols of the publication: one field per compound among sampled candidates, and one reference
    per class with nothing excluded. The values are means over draws. Samples of probing are compounds.

    Parameters
    ----------
    seeds_metrics
        Table of this name.
    look
        Order of methods.
    """
    rows = seeds_metrics[seeds_metrics["images"] == CLEAN]
    probing, retrieval = rows["task"] == PROBING, rows["task"] == RETRIEVAL
    shown_for_probing = probing & (rows["metric"] == "mean AUC") & (rows["shown_by"] == "mean")
    shown_for_ranks = ~probing & (rows["metric"] == "top-1") & (rows["shown_by"] == "field")
    shown_for_ranks &= rows["pool"] == retrieval.map({True: "sampled", False: "full"})
    shown_for_ranks &= rows["excluded"].isin(["none", None])
    rows = rows[shown_for_probing | shown_for_ranks]
    rows = rows[rows["draws"] == rows.groupby(_KEYS, dropna=False)["draws"].transform("max")]
    lines = ["Over seeds: mean ± standard deviation (lowest to highest)"]
    for split, split_rows in rows.groupby("split", sort=False):
        methods = look.in_order(split_rows["method"])
        ordered = sorted(split_rows.to_dict("records"), key=lambda row: _position(row, methods))
        cells = [_cells(row) for row in ordered]
        lines += ["", f"{split} split", *text_lines(pd.DataFrame(cells), left=3)]
    return "\n".join(lines)


def _position(row: dict, methods: list[str]) -> tuple[int, int, int]:
    """Compute the sort key of a row: task, direction, method."""
    direction = len(DIRECTIONS) if pd.isna(row["direction"]) else list(DIRECTIONS).index(row["direction"])
    return TASKS.index(row["task"]), direction, methods.index(row["method"])


def _cells(row: dict) -> dict[str, str]:
    """Format a metric: top-1 in per cent, an AUC with three decimals."""
    percent = row["metric"] == "top-1"
    number = (lambda value: f"{100 * value:.1f}") if percent else (lambda value: f"{value:.3f}")
    spread = f"± {number(row['spread'])}" if pd.notna(row["spread"]) else ""
    return {
        "task": row["task"] if pd.isna(row["direction"]) else f"{row['task']}, {DIRECTIONS[row['direction']]}",
        "method": row["method"],
        "metric": row["metric"] + (", %" if percent else ""),
        "mean": number(row["value"]),
        "SD": spread,
        "range": f"({number(row['lowest'])} to {number(row['highest'])})" if spread else ABSENT,
        "chance": ABSENT if pd.isna(row["chance"]) else number(row["chance"]),
        "seeds": row["seeds"],
    }

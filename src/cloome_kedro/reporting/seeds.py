"""Metrics over seeds as text."""

import pandas as pd

from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.tables import NOTHING, text_lines
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, RETRIEVAL, TASKS

_KEYS = ["split", "task", "direction", "method"]


def format_seeds(seeds_metrics: pd.DataFrame, look: Look) -> str:
    """Top-1 (of probing mean AUC) of every method on clean images, mean ± SD over seeds, for the terminal.

    Shown are the protocols of the publication over all draws: one field per compound among sampled candidates, one
    reference per class with nothing excluded. Probing is by compounds.

    Parameters
    ----------
    seeds_metrics
        Table of this name.
    look
        Order of methods.
    """
    rows = seeds_metrics[seeds_metrics["images"] == CLEAN]
    probing, retrieval = rows["task"] == PROBING, rows["task"] == RETRIEVAL
    of_probing = probing & (rows["metric"] == "mean AUC") & (rows["shown_by"] == "mean")
    of_ranks = ~probing & (rows["metric"] == "top-1") & (rows["shown_by"] == "field")
    pool = rows["pool"] == retrieval.map({True: "sampled", False: "full"})
    rows = rows[of_probing | (of_ranks & pool & rows["excluded"].isin(["none", None]))]
    rows = rows[rows["draws"] == rows.groupby(_KEYS, dropna=False)["draws"].transform("max")]
    lines = ["Over seeds: mean ± standard deviation (lowest to highest)"]
    for split, of_split in rows.groupby("split", sort=False):
        cells = [
            _cells(row)
            for task in TASKS
            for direction in (*DIRECTIONS, None)
            for method in look.in_order(of_split["method"])
            for row in of_split.to_dict("records")
            if (row["task"], row["method"]) == (task, method)
            and (row["direction"] == direction or (direction is None and pd.isna(row["direction"])))
        ]
        lines += ["", f"{split} split", *text_lines(pd.DataFrame(cells), left=3)]
    return "\n".join(lines)


def _cells(row: dict) -> dict[str, str]:
    """A metric as text: top-1 in per cent, an AUC with three digits."""
    percent = row["metric"] == "top-1"
    form = (lambda value: f"{100 * value:.1f}") if percent else (lambda value: f"{value:.3f}")
    spread = f"± {form(row['spread'])}" if pd.notna(row["spread"]) else ""
    return {
        "task": row["task"] if pd.isna(row["direction"]) else f"{row['task']}, {DIRECTIONS[row['direction']]}",
        "method": row["method"],
        "metric": row["metric"] + (", %" if percent else ""),
        "mean": form(row["value"]),
        "SD": spread,
        "range": f"({form(row['lowest'])} to {form(row['highest'])})" if spread else NOTHING,
        "chance": NOTHING if pd.isna(row["chance"]) else form(row["chance"]),
        "seeds": row["seeds"],
    }

"""Tables that say in plain words how sure an answer is. All cells are text.

The functions have these parameters:

candidate_sets, answered, calibration, familiarity : pandas.DataFrame
    Tables of these names of one split (``calibration``: ``softmax_calibration`` and ``probe_calibration``).
look : cloome_kedro.reporting.style.Look
    Order of methods, and the first model.

A table is empty if there are no results.
"""

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, percent_text
from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.zero_shot_figures import protocol_label
from cloome_kedro.words import DIRECTIONS, PROBING, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

_SHOWN_BY = {"field": "one field", "mean": "mean of fields"}
_CLASSES = {ZERO_SHOT_COMPOUND: "image → compound of a field", ZERO_SHOT_MOA: "image → mechanism of a field"}
_SIDES = {("image", "cosine"): "image", ("compound", "cosine"): "structure, by embedding"}
#: a measured coverage below the expected range, above it, or in it; or one that cannot be else
_VERDICTS = ("too low", "higher", "as expected", "all are listed")


def set_table(candidate_sets: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Tabulate the candidate sets of the first model: one row per question and wanted coverage."""
    return _sets(candidate_sets[candidate_sets["method"] == look.model], with_method=False)


def set_comparison(candidate_sets: pd.DataFrame, look: Look, level: float = 0.9) -> pd.DataFrame:
    """Tabulate the candidate sets of the other methods for the wanted coverage that is nearest to ``level``."""
    others = candidate_sets[candidate_sets["method"] != look.model]
    if others.empty:
        return pd.DataFrame()
    nearest = min(others["level"].unique(), key=lambda other: abs(other - level))
    others = others[others["level"] == nearest]
    order = {method: place for place, method in enumerate(look.in_order(others["method"]))}
    return _sets(others.sort_values("method", key=lambda names: names.map(order), kind="stable"), with_method=True)


def _sets(rows: pd.DataFrame, with_method: bool) -> pd.DataFrame:
    rows = rows[rows["coverage"].notna()]
    keys = ["method", "task", "direction", "shown_by", "excluded", "level"]
    table = []
    for _, group in rows.groupby(keys, sort=False, dropna=False):
        by_kind = {row["kind"]: row for row in group.to_dict("records")}
        first, adaptive = by_kind["first k"], by_kind["adaptive"]
        table.append(
            {
                **({"method": first["method"]} if with_method else {}),
                "question": question(first),
                "wanted": f"{100 * first['level']:g} %",
                "list the first": f"{first['size_median']:g} of {first['candidates']:g}",
                "true one listed": _coverage(first),
                "expected": f"{100 * first['expected_low']:.1f}–{100 * first['expected_high']:.1f} %",
                "verdict": _verdict(first),
                "adaptive: mean length": f"{adaptive['size_mean']:.1f}",
                "adaptive: true one listed": _coverage(adaptive),
            }
        )
    return pd.DataFrame(table)


def question(row: dict) -> str:
    """Name the question of a row, with what shows a compound or which references are allowed.

    Examples
    --------
    >>> question({"task": "retrieval", "direction": "image to compound", "shown_by": "field", "excluded": None})
    'image → compound, one field'
    """
    if row["task"] == RETRIEVAL:
        return f"{DIRECTIONS[row['direction']]}, {_SHOWN_BY[row['shown_by']]}"
    if row["task"] == PROBING:
        return "active in an assay?"
    return f"{_CLASSES[row['task']]} ({protocol_label('full', row['excluded'])})"


def _coverage(row: dict) -> str:
    return percent_text({"value": row["coverage"], "low": row["low"], "high": row["high"]})


def _verdict(row: dict) -> str:
    if row["size_mean"] >= row["candidates"]:
        return _VERDICTS[3]
    if row["coverage"] < row["expected_low"]:
        return f"{_VERDICTS[0]}, {100 * (row['coverage'] - row['level']):+.1f} points"
    return _VERDICTS[1] if row["coverage"] > row["expected_high"] else _VERDICTS[2]


def reasons(candidate_sets: pd.DataFrame) -> list[str]:
    """Say for which tasks all candidates are listed or nothing is measured, and why."""
    tasks = candidate_sets.dropna(subset="reason").groupby("reason", sort=False)["task"].unique()
    texts = [f"{', '.join(names)}: {reason}" for reason, names in tasks.items()]
    return [f"{text[0].upper()}{text[1:]}" for text in texts]


def sentences(candidate_sets: pd.DataFrame, look: Look, level: float = 0.9) -> list[str]:
    """Say for both directions, with one field per compound, how long the list of the first model must be.

    Nothing is said of a list of all candidates, which is always right.
    """
    rows = candidate_sets[(candidate_sets["method"] == look.model) & (candidate_sets["task"] == RETRIEVAL)]
    rows = rows[(rows["kind"] == "first k") & (rows["shown_by"] == "field") & rows["coverage"].notna()]
    rows = rows[rows["size_mean"] < rows["candidates"]]
    if rows.empty:
        return []
    rows = rows[rows["level"] == min(rows["level"].unique(), key=lambda other: abs(other - level))]
    return [
        f"{DIRECTIONS[row['direction']]}: the match is among the first {row['size_median']:g} of {row['candidates']:g} "
        f"with {100 * row['level']:g} % (measured {100 * row['coverage']:.1f} %{_doubt(row)})."
        for row in rows.to_dict("records")
    ]


def _doubt(row: dict) -> str:
    low, high = (f"{100 * row[name]:.1f}" for name in ("expected_low", "expected_high"))
    return f", less than the expected {low} to {high} %" if row["coverage"] < row["expected_low"] else ""


def answered_table(
    answered: pd.DataFrame, look: Look, shares: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
) -> pd.DataFrame:
    """Tabulate the top-1 accuracy of the first model if only the most confident queries are answered."""
    rows = answered[(answered["method"] == look.model)]
    if rows.empty:
        return pd.DataFrame()
    rows = rows[rows["k"] == rows["k"].min()]
    table = []
    for _, group in rows.groupby(["task", "direction", "shown_by", "excluded"], sort=False, dropna=False):
        cells = {"question": question(group.iloc[0].to_dict())}
        for share in shares:
            row = group.iloc[(group["share"] - share).abs().argmin()]
            text = percent_text({"value": row["accuracy"], "low": row["low"], "high": row["high"]})
            cells["all" if share == 1 else f"{100 * share:g} % answered"] = text
        table.append(cells)
    return pd.DataFrame(table)


def calibration_table(calibration: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Tabulate calibration errors and Brier scores, before and after calibration on the validation fold."""
    table = []
    keys = ["task", "direction", "shown_by", "excluded"]
    for _, group in calibration.groupby(keys, sort=False, dropna=False):
        for method in look.in_order(group["method"]):
            by_state = {row["calibrated"]: row for row in group[group["method"] == method].to_dict("records")}
            first = next(iter(by_state.values()))
            cells = {"question": question(first), "method": method}
            for state, name in ((False, "before"), (True, "after")):
                row = by_state.get(state)
                cells[f"error {name}"] = f"{row['error']:.3f}" if row else ABSENT
                cells[f"Brier {name}"] = f"{row['brier']:.3f}" if row else ABSENT
            after = by_state.get(True, first)
            cells["error of perfect probabilities"] = f"{after['error_of_calibrated']:.3f}"
            cells["n"] = f"{after['n']:,} assays" if first["task"] == PROBING else f"{after['n']:,}"
            table.append(cells)
    return pd.DataFrame(table)


def familiarity_table(familiarity: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Tabulate from which similarity on a query is unlike anything seen."""
    rows = familiarity[familiarity["q01"].notna()]
    order = look.in_order(rows["method"].dropna())
    table = []
    for method in [*order, None]:
        for row in rows[rows["method"].isna() if method is None else rows["method"] == method].to_dict("records"):
            table.append(
                {
                    "method": method or "Tanimoto coefficient",
                    "query": _SIDES.get((row["side"], row["measure"]), "structure"),
                    "unlike anything below": f"{row['q01']:.3f}",
                    "median, validation": f"{row['q50']:.3f}",
                    "median, test": ABSENT if pd.isna(row["test_q50"]) else f"{row['test_q50']:.3f}",
                    "test queries below": ABSENT if pd.isna(row["unlike"]) else f"{100 * row['unlike']:.1f} %",
                    "n": f"{row['queries']:,}",
                }
            )
    return pd.DataFrame(table)

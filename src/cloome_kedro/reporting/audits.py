"""What the publication does not report: every method and protocol, paired differences, and leaks of the split."""

import pandas as pd

from cloome_kedro.reporting.captioned import CaptionedTable
from cloome_kedro.reporting.style import Look, images_in_order
from cloome_kedro.reporting.supplement import ABSENT, DEPENDENT, digits, percent
from cloome_kedro.reporting.tables import auc_text
from cloome_kedro.words import PROBING, RANDOM, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

_SETTING = ["split", "task", "method", "images", "direction", "pool", "shown_by", "excluded"]
_TASKS = [ZERO_SHOT_MOA, ZERO_SHOT_COMPOUND, PROBING, RETRIEVAL]
#: the metric of each task that audits compare
_METRICS = dict.fromkeys(_TASKS, "top-1") | {PROBING: "mean AUC"}
_COLUMNS = ["Audit", "Split", "Method", "Images", "Setting", "Metric", "Value", "Chance", "n", "Compounds"]
_CHANGES = ["Minus clean images", "Minus unrestricted"]


def audit_table(
    metrics: pd.DataFrame, differences: pd.DataFrame, leaks: pd.DataFrame, whose: str, look: Look
) -> CaptionedTable:
    """Top-1 (of probing mean AUC) of every setting, its paired differences, then the leaks of every split.

    Parameters
    ----------
    metrics, differences
        Tables of these names, of all tasks and splits.
    leaks
        Table of this name, of all splits, with a column ``split``.
    whose
        From :func:`~cloome_kedro.reporting.supplement.whose_data`.
    look
        Order of methods, and the model that others are compared with.
    """
    compared = metrics["metric"] == metrics["task"].map(_METRICS)
    rows = metrics[compared & (metrics["draws"] == 1) & (metrics["method"] != RANDOM)].reset_index(drop=True)
    changes = {
        (*_key(row), row["against"]): _difference(row)
        for row in differences[differences["metric"] == differences["task"].map(_METRICS)].to_dict("records")
    }
    order = {
        "task": _TASKS,
        "split": list(dict.fromkeys(rows["split"])),
        "images": images_in_order(rows["images"]),
        "method": look.in_order(rows["method"]),
    }
    places = pd.DataFrame({column: rows[column].map(names.index) for column, names in order.items()})
    rows = rows.loc[places.sort_values(list(order), kind="stable").index]
    table = [_row(row, changes, look.model) for row in rows.to_dict("records")]
    table += [_leak(row) for row in leaks.to_dict("records")]
    notes = (
        whose,
        "Value: top-1 accuracy in per cent, of the single draw with its exact (Clopper–Pearson) interval; of probing"
        " the mean AUC over assays, with a bootstrap interval over compounds. Chance: the exact expectation.",
        DEPENDENT,
        "Differences are paired, and means over all draws: points of per cent (of probing, of AUC) with a bootstrap"
        " interval over compounds. Minus unrestricted: what is lost when references of the query's own well, plate or"
        " compound are left out (nothing where no well has two fields), or when of all plates only its own is left:"
        " there fewer classes answer, and chance is another.",
        "Plate only, Well position only and Cell count only see nothing of the image but that; Untrained is the same"
        " architecture with weights that were never trained.",
        "Split leaks: compounds of a fold that have a relative in another.",
    )
    columns = [*_COLUMNS, *_CHANGES, f"{look.model} minus this method"]
    filled = pd.DataFrame(table, columns=columns).fillna(ABSENT)
    return CaptionedTable("Audits: other methods, stricter protocols, leaks", notes, filled)


def _row(row: dict, changes: dict, model: str) -> dict[str, str]:
    probing = row["task"] == PROBING
    of_model = {**row, "method": model}
    unrestricted = [(*_key(row), against) for against in ("excluded none", "pool full")]
    return {
        "Audit": row["task"],
        "Split": row["split"],
        "Method": row["method"],
        "Images": row["images"],
        "Setting": _setting(row),
        "Metric": row["metric"] if probing else f"{row['metric']} (%)",
        "Value": auc_text(row) if probing else percent(row),
        "Chance": ABSENT if pd.isna(row["chance"]) else digits(row["chance"] * (1 if probing else 100)),
        "n": f"{row['n']:,}",
        "Compounds": f"{row['compounds']:,}",
        "Minus clean images": changes.get((*_key(row), "clean"), ABSENT),
        "Minus unrestricted": next((changes[key] for key in unrestricted if key in changes), ABSENT),
        f"{model} minus this method": changes.get((*_key(of_model), f"method {row['method']}"), ABSENT),
    }


def _leak(row: dict) -> dict[str, str]:
    example = "" if pd.isna(row["example"]) else f", e.g. {row['example']}"
    return dict.fromkeys(_COLUMNS, ABSENT) | {
        "Audit": "split leaks",
        "Split": row["split"],
        "Setting": f"{row['kind']}: {row['fold']} in {row['other_fold']}{example}",
        "Metric": "compounds",
        "Value": f"{row['compounds']:,}",
        "n": f"{row['of']:,}",
    }


def _setting(row: dict) -> str:
    """In words, such as ``full pool, well excluded``."""
    if row["task"] == PROBING:
        return "sample: a compound" if row["shown_by"] == "mean" else "sample: a field"
    shown = {"field": "", "mean": "mean of fields"}[row["shown_by"]]
    if row["task"] == RETRIEVAL:
        return ", ".join(part for part in (row["direction"], f"{row['pool']} pool", shown) if part)
    excluded = "none" if pd.isna(row["excluded"]) else row["excluded"]
    return ", ".join(part for part in (f"{row['pool']} pool", f"excluded: {excluded}", shown) if part)


def _key(row: dict) -> tuple:
    return tuple("" if pd.isna(row[column]) or row[column] == "none" else row[column] for column in _SETTING)


def _difference(row: dict) -> str:
    """Signed, in points of per cent (probing: of AUC): ``-3.2 (-5.1 to -1.3)``."""
    scale, places = (1, 3) if row["task"] == PROBING else (100, 1)
    # + 0.0: no negative zeros
    value, low, high = (
        f"{round(scale * row[name], places) + 0.0:+.{places}f}" for name in ("difference", "low", "high")
    )
    return f"{value} ({low} to {high})"

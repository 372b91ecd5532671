"""Audits, which the publication does not report: all methods and protocols, paired differences, leaks of the split."""

import pandas as pd

from cloome_kedro.reporting.captioned import CaptionedTable
from cloome_kedro.reporting.cells import ABSENT, auc_text, percent_text
from cloome_kedro.reporting.published import percent_as_published, significant_digits
from cloome_kedro.reporting.style import Look, images_in_order
from cloome_kedro.reporting.supplement import DEPENDENT_QUERIES
from cloome_kedro.reporting.task_tables import UNRESTRICTED
from cloome_kedro.words import DIRECTIONS, PROBING, RANDOM, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

#: columns of ``metrics`` and ``differences`` that identify a setting
_SETTING = ["split", "task", "method", "images", "direction", "pool", "shown_by", "excluded"]
_TASKS = [ZERO_SHOT_MOA, ZERO_SHOT_COMPOUND, PROBING, RETRIEVAL]
#: the metric of each task that audits compare
_METRICS = dict.fromkeys(_TASKS, "top-1") | {PROBING: "mean AUC"}
_COLUMNS = ["Audit", "Split", "Method", "Images", "Setting", "Metric", "Value", "Chance", "n", "Compounds"]
_DIFFERENCES = ["Minus clean images", "Minus unrestricted"]


def audit_table(
    metrics: pd.DataFrame, differences: pd.DataFrame, leaks: pd.DataFrame, data_note: str, look: Look
) -> CaptionedTable:
    """Tabulate top-1 (for probing, the mean AUC) in every setting with its paired differences, then leaks of splits.

    Parameters
    ----------
    metrics, differences
        Tables of these names, all tasks and splits.
    leaks
        Table of this name, all splits, with the column ``split``.
    data_note
        From :func:`~cloome_kedro.reporting.supplement.describe_data_sources`.
    look
        Order of methods. Its first model is compared with every other method.

    Returns
    -------
    CaptionedTable
        One row per setting, then one row per split, pair of folds and kind of leak.
    """
    is_compared = metrics["metric"] == metrics["task"].map(_METRICS)
    rows = metrics[is_compared & (metrics["draws"] == 1) & (metrics["method"] != RANDOM)].reset_index(drop=True)
    difference_texts = {
        (*_key(row), row["against"]): _difference_text(row)
        for row in differences[differences["metric"] == differences["task"].map(_METRICS)].to_dict("records")
    }
    order = {
        "task": _TASKS,
        "split": list(dict.fromkeys(rows["split"])),
        "images": images_in_order(rows["images"]),
        "method": look.in_order(rows["method"]),
    }
    positions = pd.DataFrame({column: rows[column].map(names.index) for column, names in order.items()})
    rows = rows.loc[positions.sort_values(list(order), kind="stable").index]
    table = [_setting_row(row, difference_texts, look.model) for row in rows.to_dict("records")]
    table += [_leak_row(row) for row in leaks.to_dict("records")]
    notes = (
        data_note,
        "Value: top-1 accuracy in per cent in a single draw, with its exact (Clopper–Pearson) interval. For probing:"
        " the mean AUC over assays, with a bootstrap interval over compounds. Chance: the exact expectation.",
        DEPENDENT_QUERIES,
        "Differences are paired means over all draws, with a bootstrap interval over compounds. They are in percentage"
        " points. For probing they are in AUC. Minus unrestricted: the accuracy without references that share the well,"
        " the plate or the compound of the query, minus the accuracy with any reference. If no well has two fields, the"
        " exclusion of wells changes nothing. For the pool of the same plate: the accuracy with references in other"
        " wells of the query's plate, minus the accuracy with references in other wells of all plates. This pool has"
        " fewer classes, so its chance is different.",
        "Plate only, Well position only and Cell count only know nothing else about the image. Untrained is the same"
        " architecture with weights that were never trained.",
        "Split leaks: Value is the number of compounds in a fold that have a relative in another fold. n is the number"
        " of compounds in the fold.",
    )
    columns = [*_COLUMNS, *_DIFFERENCES, f"{look.model} minus this method"]
    filled = pd.DataFrame(table, columns=columns).fillna(ABSENT)
    return CaptionedTable("Audits: other methods, stricter protocols, leaks", notes, filled)


def _setting_row(row: dict, difference_texts: dict, model: str) -> dict[str, str]:
    probing = row["task"] == PROBING
    model_row = {**row, "method": model}
    unrestricted = [(*_key(row), against) for against in UNRESTRICTED]
    return {
        "Audit": row["task"],
        "Split": row["split"],
        "Method": row["method"],
        "Images": row["images"],
        "Setting": _setting_text(row),
        "Metric": row["metric"] if probing else f"{row['metric']} (%)",
        "Value": auc_text(row) if probing else percent_as_published(row),
        "Chance": ABSENT if pd.isna(row["chance"]) else significant_digits(row["chance"] * (1 if probing else 100)),
        "n": f"{row['n']:,}",
        "Compounds": f"{row['compounds']:,}",
        "Minus clean images": difference_texts.get((*_key(row), "clean"), ABSENT),
        "Minus unrestricted": next((difference_texts[key] for key in unrestricted if key in difference_texts), ABSENT),
        f"{model} minus this method": difference_texts.get((*_key(model_row), f"method {row['method']}"), ABSENT),
    }


def _leak_row(row: dict) -> dict[str, str]:
    example = "" if pd.isna(row["example"]) else f", e.g. {row['example']}"
    return dict.fromkeys(_COLUMNS, ABSENT) | {
        "Audit": "split leaks",
        "Split": row["split"],
        "Setting": f"{row['kind']}: {row['fold']} in {row['other_fold']}{example}",
        "Metric": "compounds",
        "Value": f"{row['compounds']:,}",
        "n": f"{row['of']:,}",
    }


def _setting_text(row: dict) -> str:
    """Describe a setting, such as ``full pool, excluded: well``."""
    if row["task"] == PROBING:
        return "sample: a compound" if row["shown_by"] == "mean" else "sample: a field"
    shown_by = {"field": "", "mean": "mean of fields"}[row["shown_by"]]
    if row["task"] == RETRIEVAL:
        parts = (DIRECTIONS[row["direction"]], f"{row['pool']} pool", shown_by)
    else:
        excluded = "none" if pd.isna(row["excluded"]) else row["excluded"]
        parts = (f"{row['pool']} pool", f"excluded: {excluded}", shown_by)
    return ", ".join(part for part in parts if part)


def _key(row: dict) -> tuple:
    """Get the values that identify a setting. A missing value and ``none`` give the same key."""
    return tuple("" if pd.isna(row[column]) or row[column] == "none" else row[column] for column in _SETTING)


def _difference_text(row: dict) -> str:
    return (auc_text if row["task"] == PROBING else percent_text)(row, signed=True)

"""Table of the settings that models without epochs chose on the validation fold."""

from collections.abc import Mapping

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT


def selection_table(selections: Mapping[str, pd.DataFrame], models: Mapping[str, str]) -> pd.DataFrame:
    """Tabulate the chosen settings of each model, and how good each part of a fusion is alone.

    Parameters
    ----------
    selections
        Label of a model -> table ``selection``.
    models
        Name of each model of the study -> its label.

    Returns
    -------
    pandas.DataFrame
        One row per model and setting, all cells are text.
    """
    rows = []
    for label, selection in selections.items():
        tried = selection["candidate"].nunique()
        for row in selection[selection["best"]].to_dict("records"):
            part = None if pd.isna(row["part"]) else row["part"]
            alone = _alone(selection, part) if part else float("nan")
            rows.append(
                {
                    "model": label,
                    "setting": row["setting"] if part is None else f"{row['setting']} of {models.get(part, part)}",
                    "chosen": f"{row['value']:g}",
                    "tried": f"{tried:,}",
                    "validation top-1": _percent(row["validation_top1"]),
                    "this part alone": _percent(alone),
                }
            )
    columns = ["model", "setting", "chosen", "tried", "validation top-1", "this part alone"]
    return pd.DataFrame(rows, columns=columns)


def _alone(selection: pd.DataFrame, part: str) -> float:
    """Validation top-1 of the candidate in which only this part has a weight; NaN if there is none."""
    others = selection[selection["part"] != part].groupby("candidate")["value"].sum()
    alone = others.index[others == 0]
    rows = selection[selection["candidate"].isin(alone) & (selection["part"] == part)]
    return float(rows["validation_top1"].iloc[0]) if len(rows) else float("nan")


def _percent(value: float) -> str:
    return ABSENT if pd.isna(value) else f"{100 * value:.1f} %"

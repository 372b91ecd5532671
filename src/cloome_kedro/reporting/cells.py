"""Formatting: values with their intervals as cells of tables, and tables as lines of text."""

import pandas as pd

#: a cell without a value
ABSENT = "–"


def percent_text(row: dict, signed: bool = False) -> str:
    """Format a share or a difference of shares with its interval.

    Parameters
    ----------
    row
        Row of ``metrics``. If ``signed``, row of ``differences``.
    signed
        Whether to format a difference, in percentage points.

    Examples
    --------
    >>> percent_text({"value": 0.123, "low": 0.091, "high": 0.16})
    '12.3 % (9.1–16.0)'
    >>> percent_text({"difference": -0.032, "low": -0.05, "high": 0.004}, signed=True)
    '-3.2 (-5.0 to +0.4)'
    """
    return _difference_text(row, 100, 1) if signed else _value_text(row, 100, 1, " %")


def auc_text(row: dict, signed: bool = False) -> str:
    """Format a mean AUC or a difference of mean AUCs with its interval, from the same rows as :func:`percent_text`.

    Examples
    --------
    >>> auc_text({"value": 0.713, "low": 0.69, "high": 0.735})
    '0.713 (0.690–0.735)'
    """
    return _difference_text(row, 1, 3) if signed else _value_text(row, 1, 3, "")


def _value_text(row: dict, scale: int, decimals: int, unit: str) -> str:
    text = f"{scale * row['value']:.{decimals}f}{unit}"
    if pd.isna(row["low"]):
        return text
    return f"{text} ({scale * row['low']:.{decimals}f}–{scale * row['high']:.{decimals}f})"


def _difference_text(row: dict, scale: int, decimals: int) -> str:
    # "z" turns a negative zero into zero.
    value, low, high = (f"{scale * row[name]:+z.{decimals}f}" for name in ("difference", "low", "high"))
    return f"{value} ({low} to {high})"


def top_k_cells(rows: pd.DataFrame, top_ks: list[str]) -> dict[str, str]:
    """Make the cells of one method and setting: each top-k of the single draw, and top-1 as mean ± SD over draws.

    Parameters
    ----------
    rows
        Rows of the table ``metrics``.
    top_ks
        Names of metrics, such as ``top-1``. A metric that ``rows`` do not have is shown as ``–``.
    """
    names = ("metric", "draws", "value", "low", "high", "spread")
    # Much quicker than selections and `to_dict` of the small table: a report has hundreds of such tables.
    records = [dict(zip(names, row, strict=True)) for row in zip(*(rows[name].tolist() for name in names), strict=True)]
    single = {row["metric"]: row for row in records if row["draws"] == 1}
    top1 = [row for row in records if row["draws"] > 1 and row["metric"] == "top-1" and pd.notna(row["spread"])]
    over_draws = f"{100 * top1[0]['value']:.1f} ± {100 * top1[0]['spread']:.1f} %" if top1 else ABSENT
    cells = {top_k: percent_text(single[top_k]) if top_k in single else ABSENT for top_k in top_ks}
    return cells | {"top-1 over draws": over_draws}


def text_lines(table: pd.DataFrame, left: int = 2) -> list[str]:
    """Format a table of strings as aligned lines.

    Parameters
    ----------
    table
        All cells are text.
    left
        Number of columns that are aligned to the left. The others are aligned to the right.

    Examples
    --------
    >>> text_lines(pd.DataFrame({"method": ["CLOOME"], "top-1": ["5 %"]}), left=1)
    ['  method  top-1', '  CLOOME    5 %']
    """
    rows = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [
        [
            cell.rjust(width) if i >= left else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return ["  " + "  ".join(row) for row in aligned]

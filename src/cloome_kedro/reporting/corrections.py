"""What corrections of batch effects change: a text for the terminal and a figure."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from cloome_kedro.evaluation.comparison import verdict
from cloome_kedro.reporting.cells import ABSENT, auc_text, percent_text, text_lines
from cloome_kedro.reporting.profile_moa import REFERENCES, SHOWN_BY
from cloome_kedro.reporting.style import Look, styled
from cloome_kedro.words import counted

_LOOK = Look("Profiles with and without corrections of batch effects")  # there are no models
_TOP1 = "top-1"


def format_corrections(effects: pd.DataFrame, confidence: float = 0.95) -> str:
    """Format every measure of every method, and the paired difference that a correction makes.

    Parameters
    ----------
    effects
        Table ``profile_moa_corrections``.
    confidence
        Confidence level of the intervals.
    """
    lines = [f"Profiles with and without corrections of batch effects, with {100 * confidence:g} % intervals"]
    for name, rows in _panels(effects):
        first = rows[0]
        lines += ["", f"{name}; {counted(first['compounds'], 'compound')}, chance {_value(first, 'chance')}"]
        cells = [
            {"method": row["method"], "value": _value(row), "difference": _difference(row), "effect": _effect(row)}
            for row in rows
        ]
        lines += text_lines(pd.DataFrame(cells), left=1)
    return "\n".join(lines)


@styled
def draw_corrections(effects: pd.DataFrame) -> Figure:
    """Draw every measure of every method with its interval, one panel per measure; dashed: chance.

    Parameters
    ----------
    effects
        Table ``profile_moa_corrections``.
    """
    panels = _panels(effects)
    methods = list(dict.fromkeys(effects["method"]))
    columns = min(len(panels), 3)
    n_rows = -(-len(panels) // columns)
    height = n_rows * (1.3 + 0.28 * len(methods)) + 0.5
    figure = Figure(figsize=(3.6 * columns + 2, height), layout="constrained")
    axes = figure.subplots(n_rows, columns, sharey=True, squeeze=False).ravel()
    palette = sns.color_palette("colorblind")
    for axis, (name, rows) in zip(axes, panels, strict=False):
        axis.axvline(rows[0]["chance"], color="0.1", linestyle="--", linewidth=1)
        for row in rows:
            y = methods.index(row["method"])
            colour = palette[y % len(palette)]
            axis.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=2)
            axis.plot(row["value"], y, "o", color=colour, markeredgecolor="white", markersize=7)
        axis.set(xlabel="", ylabel="", title=name.replace("; ", ";\n").replace("precision of", "precision\nof"))
        axis.title.set_fontsize(9)
        axis.set_xlim(left=0)
        if rows[0]["measure"] == _TOP1:
            axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    axes[0].set_yticks(range(len(methods)), methods)
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    sns.despine(figure)
    return _LOOK.add_title(figure, "dashed: chance")


def precision_of_corrections_table(precision: pd.DataFrame) -> pd.DataFrame:
    """Tabulate mean average precisions with and without corrections, one row per kind of match and method.

    Parameters
    ----------
    precision
        Table ``average_precision_corrections``. Rows without a value are left out.

    Returns
    -------
    pandas.DataFrame
        All cells are text.
    """
    rows = []
    for row in precision[precision["value"].notna()].to_dict("records"):
        row["measure"] = "mean average precision"
        cells = {"matches": row["matches"], "method": row["method"], row["measure"]: _value(row)}
        cells |= {"chance": _value(row, "chance"), "minus uncorrected": _difference(row), "effect": _effect(row)}
        rows.append(cells | {"compounds": f"{row['n']:,}"})
    return pd.DataFrame(rows)


def _panels(effects: pd.DataFrame) -> list[tuple[str, list[dict]]]:
    """Name of each measure, and its rows with a value."""
    panels: dict[str, list[dict]] = {}
    for row in effects[effects["value"].notna()].to_dict("records"):
        name = row["measure"]
        if name == _TOP1:
            shown_by = SHOWN_BY.get(row["shown_by"], row["shown_by"])
            name = f"top-1 of mechanisms; {REFERENCES.get(row['excluded'], row['excluded'])}; {shown_by}"
        panels.setdefault(name, []).append(row)
    return list(panels.items())


def _value(row: dict, name: str = "value") -> str:
    shown = row if name == "value" else {"value": row[name], "low": float("nan")}
    return percent_text(shown) if row["measure"] == _TOP1 else auc_text(shown)


def _difference(row: dict) -> str:
    if pd.isna(row["difference"]):
        return ABSENT
    ends = {"difference": row["difference"], "low": row["difference_low"], "high": row["difference_high"]}
    return percent_text(ends, signed=True) if row["measure"] == _TOP1 else auc_text(ends, signed=True)


def _effect(row: dict) -> str:
    if pd.isna(row["difference"]):
        return ABSENT
    side = verdict(row["difference_low"], row["difference_high"])
    return {"above": "better", "below": "worse"}.get(side, side)

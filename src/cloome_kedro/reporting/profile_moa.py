"""Zero-shot mechanisms from profiles: a table for the terminal and a figure."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.style import Look, dodge, styled, top_k_names
from cloome_kedro.reporting.tables import NOTHING, percent_text, text_lines, top_k_cells
from cloome_kedro.words import RANDOM

#: what is excluded -> what references of a query then are
REFERENCES = {
    "none": "any well",
    "plate": "other plates",
    "plate+compound where possible": "other plates, other compounds where there are",
    "plate+compound": "other plates, other compounds",
}
SHOWN_BY = {"field": "one well", "mean": "mean of wells"}
_LOOK = Look("Top-1 accuracy of zero-shot mechanisms from profiles")  # there are no models


def format_mechanisms(metrics: pd.DataFrame, differences: pd.DataFrame, confidence: float = 0.95) -> str:
    """Every protocol and method as text: single draw with exact intervals, top-1 over draws; then paired differences.

    Parameters
    ----------
    metrics, differences
        Tables of these names, of ``profile_moa``.
    confidence
        Of the intervals.
    """
    percent = f"{100 * confidence:g} %"
    lines = [f"Zero-shot mechanism of action from profiles, with exact {percent} intervals of a single draw"]
    tops = top_k_names(metrics["metric"])
    for by, excluded in _protocols(metrics):
        here = metrics[(metrics["shown_by"] == by) & (metrics["excluded"] == excluded)]
        first = here.iloc[0]
        lines += ["", f"references: {REFERENCES.get(excluded, excluded)}; a mechanism is shown by {SHOWN_BY[by]}"]
        lines += [f"{first['n']} wells of {first['compounds']} compounds among {first['candidates']:g} mechanisms"]
        rows = [
            {"method": method} | top_k_cells(here[here["method"] == method], tops)
            for method in _LOOK.in_order(here["method"])
        ]
        lines += text_lines(pd.DataFrame(rows), left=1)
    lines += ["", f"Top-1 of profiles minus top-1 of others, in points, with a {percent} bootstrap over compounds"]
    rows = [
        {
            "references": REFERENCES.get(excluded, excluded),
            "shown by": SHOWN_BY[by],
            **{
                row["against"].removeprefix("method "): percent_text(row, signed=True)
                for row in differences[
                    (differences["shown_by"] == by)
                    & (differences["excluded"] == excluded)
                    & (differences["metric"] == "top-1")
                ].to_dict("records")
            },
        }
        for by, excluded in _protocols(metrics)
    ]
    return "\n".join([*lines, *text_lines(pd.DataFrame(rows).fillna(NOTHING))])


@styled
def draw_mechanisms(metrics: pd.DataFrame) -> Figure:
    """Top-1 accuracy by what references are, one bar per method, with its interval; chance dashed.

    There is one panel for each way to show a mechanism. Where there are several draws, bars are means over them and
    intervals are by a bootstrap over compounds. Otherwise intervals are exact.
    """
    top = metrics[metrics["metric"] == "top-1"]
    methods = [method for method in _LOOK.in_order(top["method"]) if method != RANDOM]
    panels = [by for by in SHOWN_BY if (top["shown_by"] == by).any()]
    colour, offsets = _LOOK.colours(methods), dodge(len(methods))
    figure = Figure(figsize=(6.5 * len(panels) + 1.5, 4.2), layout="constrained")
    for axis, by in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        here = top[(top["shown_by"] == by) & (top["draws"] == top.loc[top["shown_by"] == by, "draws"].max())]
        places = [excluded for shown, excluded in _protocols(here) if shown == by]
        for row in here[here["method"] != RANDOM].to_dict("records"):
            x = places.index(row["excluded"]) + offsets[methods.index(row["method"])]
            axis.bar(x, row["value"], 0.8 / len(methods), color=colour[row["method"]], label=row["method"])
            axis.plot([x, x], [row["low"], row["high"]], color="0.2", linewidth=1.5)
        for place, excluded in enumerate(places):
            chance = here.loc[here["excluded"] == excluded, "chance"].mean()
            axis.hlines(chance, place - 0.45, place + 0.45, color="0.1", linestyle="--", label="chance")
        labels = [
            REFERENCES.get(excluded, excluded).replace(", ", ",\n").replace(" where", "\nwhere") for excluded in places
        ]
        axis.set_xticks(range(len(places)), labels, fontsize=9)
        draws = int(here["draws"].max())
        kind = f"mean of {draws} draws, bootstrap over compounds" if draws > 1 else "exact intervals"
        axis.set(xlabel="references", ylabel="", title=f"shown by {SHOWN_BY[by]} ({kind})")
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    entries = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(
        [entries[name] for name in (*methods, "chance")],
        [*methods, "chance"],
        loc="outside right center",
        frameon=False,
    )
    sns.despine(figure)
    return _LOOK.on(figure)


def _protocols(metrics: pd.DataFrame) -> list[tuple[str, str]]:
    """(shown_by, excluded) that are there, in the order of the tables above."""
    present = set(metrics[["shown_by", "excluded"]].itertuples(index=False, name=None))
    known = list(REFERENCES)
    return sorted(
        present, key=lambda key: (list(SHOWN_BY).index(key[0]), known.index(key[1]) if key[1] in known else len(known))
    )

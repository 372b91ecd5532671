"""Zero-shot mechanisms from profiles: a text for the terminal and a figure."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cloome_kedro.reporting.cells import ABSENT, percent_text, text_lines, top_k_cells
from cloome_kedro.reporting.small_screens import evaluable
from cloome_kedro.reporting.style import Look, dodge, styled, top_k_names
from cloome_kedro.words import RANDOM, counted

#: what is excluded -> label of the references that remain
REFERENCES = {
    "none": "any well",
    "plate": "other plates",
    "plate+compound where possible": "other plates, other compounds where possible",
    "plate+compound": "other plates, other compounds",
}
SHOWN_BY = {"field": "one well", "mean": "mean of wells"}
_LOOK = Look("Top-1 accuracy of zero-shot mechanisms from profiles")  # there are no models


def format_mechanisms(metrics: pd.DataFrame, differences: pd.DataFrame, confidence: float = 0.95) -> str:
    """Format the results of every protocol and method as text, and then the paired differences of top-1.

    Parameters
    ----------
    metrics, differences
        Tables ``profile_moa_metrics`` and ``profile_moa_differences``.
    confidence
        Confidence level of the intervals.

    Returns
    -------
    str
        Accuracies of the single draw with exact intervals, and top-1 over all draws.
    """
    percent = f"{100 * confidence:g} %"
    lines = [f"Zero-shot mechanism of action from profiles, with exact {percent} intervals of a single draw"]
    top_ks = top_k_names(metrics["metric"])
    metrics, difference_rows = evaluable(metrics), []
    for shown_by, excluded in _protocols(metrics):
        rows = _select_protocol(metrics, shown_by, excluded)
        first = rows.iloc[0]
        references = REFERENCES.get(excluded, excluded)
        lines += ["", f"references: {references}; a mechanism is shown by {SHOWN_BY[shown_by]}"]
        wells = f"{counted(first['n'], 'well')} of {counted(first['compounds'], 'compound')}"
        lines += [f"{wells} among {counted(first['candidates'], 'mechanism')}"]
        cells = [
            {"method": method} | top_k_cells(rows[rows["method"] == method], top_ks)
            for method in _LOOK.in_order(rows["method"])
        ]
        lines += text_lines(pd.DataFrame(cells), left=1)
        top1 = _select_protocol(differences[differences["metric"] == "top-1"], shown_by, excluded)
        difference_rows.append(
            {"references": references, "shown by": SHOWN_BY[shown_by]}
            | {
                row["against"].removeprefix("method "): percent_text(row, signed=True)
                for row in top1.to_dict("records")
            }
        )
    lines += ["", f"Top-1 of profiles minus top-1 of other methods, in points, with {percent} bootstrap intervals"]
    return "\n".join([*lines, *text_lines(pd.DataFrame(difference_rows).fillna(ABSENT))])


@styled
def draw_mechanisms(metrics: pd.DataFrame) -> Figure:
    """Draw the top-1 accuracy of every method by allowed references, with intervals; dashed: chance.

    The figure has one panel for each way to show a mechanism. If there are several draws, bars are means over draws,
    with intervals by a bootstrap over compounds. Otherwise intervals are exact.

    Parameters
    ----------
    metrics
        Table ``profile_moa_metrics``.
    """
    top1 = evaluable(metrics[metrics["metric"] == "top-1"])
    methods = [method for method in _LOOK.in_order(top1["method"]) if method != RANDOM]
    panels = [shown_by for shown_by in SHOWN_BY if (top1["shown_by"] == shown_by).any()]
    colours, offsets = _LOOK.colours(methods), dodge(len(methods))
    figure = Figure(figsize=(6.5 * len(panels) + 1.5, 4.2), layout="constrained")
    for axis, shown_by in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        rows = top1[top1["shown_by"] == shown_by]
        draws = int(rows["draws"].max())
        rows = rows[rows["draws"] == draws]
        protocols = [excluded for _, excluded in _protocols(rows)]
        for row in rows[rows["method"] != RANDOM].to_dict("records"):
            x = protocols.index(row["excluded"]) + offsets[methods.index(row["method"])]
            axis.bar(x, row["value"], 0.8 / len(methods), color=colours[row["method"]], label=row["method"])
            axis.plot([x, x], [row["low"], row["high"]], color="0.2", linewidth=1.5)
        for x, excluded in enumerate(protocols):
            chance = rows.loc[rows["excluded"] == excluded, "chance"].mean()
            axis.hlines(chance, x - 0.45, x + 0.45, color="0.1", linestyle="--", label="chance")
        labels = [
            REFERENCES.get(excluded, excluded).replace(", ", ",\n").replace(" where", "\nwhere")
            for excluded in protocols
        ]
        axis.set_xticks(range(len(protocols)), labels, fontsize=9)
        kind = f"mean of {draws} draws, bootstrap over compounds" if draws > 1 else "exact intervals"
        axis.set(xlabel="references", ylabel="", title=f"shown by {SHOWN_BY[shown_by]} ({kind})")
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    entries = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    labels = [*methods, "chance"]
    figure.legend([entries[label] for label in labels], labels, loc="outside right center", frameon=False)
    sns.despine(figure)
    return _LOOK.add_title(figure)


def _select_protocol(table: pd.DataFrame, shown_by: str, excluded: str) -> pd.DataFrame:
    return table[(table["shown_by"] == shown_by) & (table["excluded"] == excluded)]


def _protocols(metrics: pd.DataFrame) -> list[tuple[str, str]]:
    """List the pairs (shown_by, excluded) in the table, in the order of ``SHOWN_BY`` and ``REFERENCES``."""
    present = set(metrics[["shown_by", "excluded"]].itertuples(index=False, name=None))
    known = list(REFERENCES)

    def position(protocol: tuple[str, str]) -> tuple[int, int]:
        shown_by, excluded = protocol
        return list(SHOWN_BY).index(shown_by), known.index(excluded) if excluded in known else len(known)

    return sorted(present, key=position)

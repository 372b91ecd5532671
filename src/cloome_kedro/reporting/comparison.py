"""Comparison of models over seeds: a figure, tables of the report, and text for the terminal."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cloome_kedro.evaluation.comparison import BOTH
from cloome_kedro.reporting.cells import ABSENT, percent_text, text_lines
from cloome_kedro.reporting.style import Look, one_line, styled, top_k_names
from cloome_kedro.words import COMPOUND_TO_IMAGE, DIRECTIONS, IMAGE_TO_COMPOUND, counted

_ROW = 0.32  # inches per model in the figure
_LABEL = 40  # largest number of characters of a label in the figure


@styled
def comparison_figure(comparison: pd.DataFrame, look: Look) -> Figure:
    """Draw top-1 accuracy of every model, and its difference from the reference, one row of panels per split.

    Parameters
    ----------
    comparison
        Table of this name.
    look
        Order of the models, reference and note.
    """
    rows = comparison[(comparison["direction"] == BOTH) & (comparison["metric"] == "top-1")]
    splits, methods = rows["split"].unique().tolist(), look.in_order(rows["method"])
    figure = Figure(figsize=(11, 1.1 + len(splits) * (0.9 + _ROW * len(methods))), layout="constrained")
    panels = figure.subplots(len(splits), 2, squeeze=False, sharex="col")
    for split, (accuracy, difference) in zip(splits, panels, strict=True):
        table = rows[rows["split"] == split].set_index("method")
        _draw(accuracy, table, methods, look, ("value", "low", "high"))
        _draw(difference, table, methods, look, ("difference", "difference_low", "difference_high"))
        accuracy.axvline(table["chance"].mean(), color="0.4", linestyle=":", linewidth=1.2)
        difference.axvline(0, color="0.4", linewidth=1)
        accuracy.set_title(f"{split} split", loc="left", fontsize=10)
        difference.set_yticklabels([])
    panels[-1, 0].set_xlabel("top-1 accuracy, mean of both directions (dotted: chance)")
    panels[-1, 1].set_xlabel(f"difference from {one_line(look.reference, _LABEL)}, paired")
    sizes = comparison["candidates"].round().astype(int)
    pool = (
        counted(sizes.min(), "candidate") if sizes.nunique() == 1 else f"{sizes.min():,} to {sizes.max():,} candidates"
    )
    return look.add_title(figure, f"models over {counted(comparison['seeds'].max(), 'seed')}, among {pool}")


def _draw(axis: Axes, table: pd.DataFrame, methods: list[str], look: Look, columns: tuple[str, str, str]) -> None:
    """Draw values with intervals, the first method at the top."""
    colours = look.colours(methods)
    for place, method in enumerate(methods):
        numbers = table[list(columns)].reindex([method]).to_numpy(float)[0]
        if np.isfinite(numbers).all():
            value, low, high = numbers.tolist()
            axis.plot([low, high], [place, place], color=colours[method], linewidth=2)
            axis.plot(value, place, marker=look.marker(method), color=colours[method], markersize=7)
    axis.set_yticks(range(len(methods)), [one_line(method, _LABEL) for method in methods])
    axis.set_ylim(len(methods) - 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.xaxis.set_major_formatter(PercentFormatter(1))


def comparison_tables(comparison: pd.DataFrame, look: Look) -> dict[str, pd.DataFrame]:
    """Make one table of text cells per split: accuracies, and differences from the reference with their verdicts.

    Parameters
    ----------
    comparison, look
        As in :func:`comparison_figure`.
    """
    return {str(split): _cells(rows, look) for split, rows in comparison.groupby("split", sort=False)}


def format_comparison(comparison: pd.DataFrame, look: Look, confidence: float = 0.95) -> str:
    """Format the comparison as text for the terminal, one block per split.

    Parameters
    ----------
    comparison, look
        As in :func:`comparison_figure`.
    confidence
        Confidence of the intervals.
    """
    seeds = counted(comparison["seeds"].max(), "seed")
    lines = [f"Models over {seeds}, with {100 * confidence:g} % intervals over compounds and seeds{look.warning}"]
    for split, table in comparison_tables(comparison, look).items():
        lines += ["", f"{split} split", *text_lines(table, left=1)]
    return "\n".join(lines)


def _cells(comparison: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Cells of one split, one row per model."""
    results = {(row["method"], row["direction"], row["metric"]): row for row in comparison.to_dict("records")}
    last = top_k_names(comparison["metric"])[-1]
    rows = []
    for method in look.in_order(comparison["method"]):
        both = results[method, BOTH, "top-1"]
        top1 = percent_text(both)
        if pd.notna(both["spread"]):
            top1 = top1.replace(" %", f" ± {100 * both['spread']:.1f} %", 1)
        difference = {"difference": both["difference"], "low": both["difference_low"], "high": both["difference_high"]}
        is_reference = pd.isna(both["difference"])
        rows.append(
            {
                "model": method,
                "top-1": top1,
                **{
                    DIRECTIONS[direction]: f"{100 * results[method, direction, 'top-1']['value']:.1f} %"
                    for direction in (IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE)
                },
                last: percent_text(results[method, BOTH, last]),
                f"minus {look.reference}": ABSENT if is_reference else percent_text(difference, signed=True),
                "verdict": "reference" if is_reference else both["verdict"],
            }
        )
    return pd.DataFrame(rows)

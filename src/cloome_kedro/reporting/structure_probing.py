"""Probing of structures: a text for the terminal and a figure of the AUC of each assay."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cloome_kedro.reporting.cells import text_lines
from cloome_kedro.reporting.labels import label_join_table
from cloome_kedro.reporting.style import Look, styled
from cloome_kedro.words import RANDOM, counted


def published_scores(table: pd.DataFrame, names: Mapping[str, str], scores: pd.DataFrame) -> pd.DataFrame:
    """Select published AUCs of the assays that are scored here.

    Parameters
    ----------
    table
        Columns ``descriptor``, ``assay_id`` and ``auc``. It may be empty.
    names
        Name in the text and the figure -> descriptor.
    scores
        Table ``probing_scores``.

    Returns
    -------
    Columns method, assay and auc.

    Raises
    ------
    ValueError
        If the table does not have a descriptor.
    """
    if not names or table.empty:
        return pd.DataFrame({"method": [], "assay": [], "auc": []}).astype({"auc": float})
    scored = scores.loc[scores["scored"].astype(bool), "assay"]
    parts = []
    for name, descriptor in names.items():
        rows = table[(table["descriptor"] == descriptor) & table["assay_id"].isin(scored)]
        if rows.empty:
            known = ", ".join(map(str, table["descriptor"].unique()[:20]))
            raise ValueError(
                f"structure_probing.published: there is no descriptor {descriptor} of these assays in published_aucs, "
                f"only {known}"
            )
        parts.append(pd.DataFrame({"method": name, "assay": rows["assay_id"], "auc": rows["auc"].astype(float)}))
    return pd.concat(parts, ignore_index=True)


def format_probes(
    scores: pd.DataFrame,
    metrics: pd.DataFrame,
    differences: pd.DataFrame,
    joins: pd.DataFrame,
    published: pd.DataFrame,
    *,
    confidence: float,
    look: Look,
) -> str:
    """Format mean AUCs with their intervals, differences, published values and how labels were joined."""
    percent = f"{100 * confidence:g} %"
    split = scores["split"].iloc[0]
    lines = [
        f"Linear probes of structures, {split} split: mean AUC over assays, with {percent} intervals over compounds"
        + look.warning
    ]
    rows = metrics[(metrics["metric"] == "mean AUC") & (metrics["method"] != RANDOM)]
    if rows.empty:
        return "\n".join([*lines, "No assay could be scored. The table structure_probing_probing_scores says why.", ""])
    scored = scores[scores["scored"].astype(bool)].drop_duplicates("assay")
    actives = scored["test_actives"]
    lines += [
        f"{counted(rows['n'].iloc[0], 'assay')}, {counted(rows['compounds'].iloc[0], 'test compound')}; "
        f"test actives per assay: {actives.min()} to {actives.max()}, median {actives.median():g}",
        "",
    ]
    above = metrics[metrics["metric"] == "AUC > 0.7"].set_index("method")["value"]
    cells = [
        {
            "method": row["method"],
            "mean AUC": f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
            "AUC > 0.7": f"{above[row['method']]:.0f}",
        }
        for row in rows.to_dict("records")
    ]
    for method, part in published.groupby("method", sort=False):
        cells.append(
            {
                "method": f"{method} (published)",
                "mean AUC": f"{part['auc'].mean():.3f} of {len(part)} assays",
                "AUC > 0.7": f"{(part['auc'] > 0.7).sum()}",
            }
        )
    lines += text_lines(pd.DataFrame(cells), left=1)
    if len(differences):
        first = differences["method"].iloc[0]
        compared = [
            {
                f"{first} minus": row["against"].removeprefix("method "),
                "difference of mean AUC": f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]",
            }
            for row in differences.to_dict("records")
        ]
        lines += ["", *text_lines(pd.DataFrame(compared), left=1)]
    return "\n".join([*lines, "", *text_lines(label_join_table(joins), left=1), ""])


@styled
def draw_assays(scores: pd.DataFrame, published: pd.DataFrame, look: Look) -> Figure:
    """Draw the AUC of each assay by every method and as published, in the order of the first method.

    Parameters
    ----------
    scores
        Table ``probing_scores``.
    published
        Result of :func:`published_scores`.
    look
        Title; the methods count as its models.
    """
    scored = scores[scores["scored"].astype(bool)]
    if scored.empty:
        return look.message("No assay could be scored.")
    methods = list(scored["method"].unique())
    table = scored.pivot(index="assay", columns="method", values="auc").sort_values(methods[0])
    figure = Figure(figsize=(8, 0.6 + 0.24 * len(table)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(table))
    colours = look.colours(methods)
    for method in reversed(methods):
        label = f"{method}: {table[method].mean():.3f}"
        size, alpha, order = (6, 1.0, 3) if method == methods[0] else (4.5, 0.7, 2)
        axis.plot(
            table[method], places, "o", color=colours[method], label=label, markersize=size, alpha=alpha, zorder=order
        )
    for marker, (name, part) in zip("dsv^", published.groupby("method", sort=False), strict=False):
        known = part.set_index("assay")["auc"].reindex(table.index)
        label = f"{name} (published): {known.mean():.3f}"
        axis.plot(known, places, marker, label=label, markerfacecolor="none", color="0.3", markersize=5)
    actives = scored.drop_duplicates("assay").set_index("assay")["test_actives"]
    axis.set_yticks(places, [f"{assay} ({actives[assay]})" for assay in table.index], fontsize=8)
    axis.axvline(0.5, color="0.1", linewidth=0.9)
    axis.set(xlabel="AUC on test compounds", ylabel="assay (number of test actives)", ylim=(-0.8, len(table) - 0.2))
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8.5, title="mean AUC")
    return look.add_title(figure)

"""Tables as people read them: retrieval results as text and as rows of strings for HTML, data and split summaries."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd

from cloome_kedro.reporting.style import Look, single_draw, top_k_names
from cloome_kedro.words import CLEAN, DIRECTIONS, FOLDS

NOTHING = "–"
POOLS = ("sampled", "full", "same plate")
SHOWN_BY = {"field": "one field", "mean": "mean of fields"}
_KEY = ["split", "pool", "candidates", "direction", "method", "shown_by"]


def percent_text(row: dict, signed: bool = False) -> str:
    """A proportion with its interval, such as ``12.3 % (9.1–16.0)``; a difference in points, with its sign."""
    key, form = ("difference", "{:+.1f}") if signed else ("value", "{:.1f} %")
    text = form.format(_points(row[key]))
    if pd.isna(row["low"]):
        return text
    ends = [form.removesuffix(" %").format(_points(row[end])) for end in ("low", "high")]
    return f"{text} ({' to '.join(ends) if signed else '–'.join(ends)})"


def auc_text(row: dict) -> str:
    """A mean AUC with its interval, such as ``0.713 (0.690–0.735)``."""
    text = f"{row['value']:.3f}"
    return text if pd.isna(row["low"]) else f"{text} ({row['low']:.3f}–{row['high']:.3f})"


def _points(share: float) -> float:
    """Per cent, to the digit that is shown; never a negative zero."""
    return round(100 * share, 1) + 0.0


def top_k_cells(rows: pd.DataFrame, tops: list[str]) -> dict[str, str]:
    """Cells of one method and setting: each top-k of the single draw, and top-1 as mean ± SD over all draws.

    A metric that is not there is shown as ``–``.

    Parameters
    ----------
    rows
        Rows of the table ``metrics``.
    tops
        Names of metrics, such as ``top-1``.
    """
    one = {row["metric"]: row for row in rows[rows["draws"] == 1].to_dict("records")}
    more = rows[(rows["draws"] > 1) & (rows["metric"] == "top-1") & rows["spread"].notna()].to_dict("records")
    over = f"{100 * more[0]['value']:.1f} ± {100 * more[0]['spread']:.1f} %" if more else NOTHING
    return {top: percent_text(one[top]) if top in one else NOTHING for top in tops} | {"top-1 over draws": over}


def retrieval_table(metrics: pd.DataFrame, look: Look) -> pd.DataFrame:
    """One row per split, pool, direction, method and way to show a compound; all cells are text.

    Rows follow the metrics' order of splits. Within a split the sampled pool comes first, then the full one, then that
    of the query's plate. Where methods ranked pools of different sizes, the larger comes first: only rows of one size
    can be compared.

    Parameters
    ----------
    metrics
        Table ``metrics`` of retrieval, of one split or of several.
    look
        Order of methods.
    """
    metrics = metrics[metrics["images"] == CLEAN]
    metrics = metrics.assign(candidates=metrics["candidates"].round(1).map("{:g}".format))
    tops, methods = top_k_names(metrics["metric"]), look.in_order(metrics["method"])
    present = {tuple(key): group for key, group in metrics.groupby(_KEY)}
    sizes = sorted(metrics["candidates"].unique(), key=float, reverse=True)
    rows = []
    for key in product(metrics["split"].unique(), POOLS, sizes, DIRECTIONS, methods, SHOWN_BY):
        if key not in present:
            continue
        median = present[key].query("metric == 'median rank' and draws == 1")["value"]
        rows.append(
            dict(zip(_KEY, map(str, key), strict=True))
            | top_k_cells(present[key], tops)
            | {"median rank": f"{median.iloc[0]:g}" if len(median) else NOTHING, "n": str(present[key]["n"].iloc[0])}
        )
    columns = [*_KEY, *tops, "top-1 over draws", "median rank", "n"]
    return pd.DataFrame(rows, columns=columns).replace({"shown_by": SHOWN_BY, "direction": DIRECTIONS})


def retrieval_tables(metrics: pd.DataFrame, look: Look) -> dict[str, pd.DataFrame]:
    """:func:`retrieval_table` of one split, one table per pool, by its heading."""
    kinds = {"same plate": "on average, all of the query's plate"}
    return {
        f"{candidates} candidates {kinds.get(str(pool), f'({pool} pool)')}": block.drop(
            columns=["split", "pool", "candidates"]
        ).rename(columns={"shown_by": "shown by"})
        for (pool, candidates), block in retrieval_table(metrics, look).groupby(["pool", "candidates"], sort=False)
    }


def format_retrieval(metrics: pd.DataFrame, look: Look, confidence: float = 0.95) -> str:
    """The single draw of one field per compound as text for the terminal, one block per split and pool."""
    lines = [f"Retrieval, with exact {100 * confidence:g} % intervals{look.warning}"]
    shown = single_draw(metrics)
    for split, of_split in shown[shown["pool"] != "same plate"].groupby("split", sort=False):
        for heading, table in retrieval_tables(of_split, look).items():
            table = table.drop(columns=["shown by", "top-1 over draws"])
            lines += ["", f"{split} split, {heading}", *text_lines(table)]
    return "\n".join(lines)


def text_lines(table: pd.DataFrame, left: int = 2) -> list[str]:
    """A table of strings as aligned lines: the first columns to the left, the others to the right."""
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


def data_summary(fields: pd.DataFrame, rejected_fields: pd.DataFrame, compounds: pd.DataFrame, pairs: pd.DataFrame):
    """What the screen holds, as (label, number) rows."""
    treated = fields[~fields["control"]]
    counts = {
        "plates": fields["plate"].nunique(),
        "wells": len(fields[["plate", "well"]].drop_duplicates()),
        "fields": len(fields),
        "fields of control wells": int(fields["control"].sum()),
        "fields of treated wells": len(treated),
        "fields paired with a structure": len(pairs),
        "fields rejected": len(rejected_fields),
        "compounds (distinct structures)": len(compounds),
        "compounds with a field": pairs["inchikey"].nunique(),
        "treatments (compound at a concentration)": pairs["treatment"].nunique(),
        "scaffolds": compounds["scaffold"].nunique(),
        "mechanisms named": compounds["moa"].dropna().nunique(),
    }
    return pd.DataFrame({"": list(counts), "number": [f"{count:,}" for count in counts.values()]})


def rejected_summary(rejected: pd.DataFrame, key: str, most: int = 15) -> pd.DataFrame:
    """Rejected items counted by reason, with an example each; rarer reasons than the ``most`` first share a last row.

    Parameters
    ----------
    rejected
        Table with the column ``reason``.
    key
        Column that names an item.
    most
        Reasons that have a row of their own.
    """
    table = (
        rejected.groupby("reason", sort=False)
        .agg(number=(key, "size"), example=(key, "first"))
        .sort_values("number", ascending=False, kind="stable")
        .reset_index()
    )
    rest = table.iloc[most:]
    if len(rest):
        other = {"reason": f"{len(rest)} other reasons", "number": rest["number"].sum(), "example": "…"}
        table = pd.concat([table.iloc[:most], pd.DataFrame([other])], ignore_index=True)
    return table.astype({"number": str})[["number", "reason", "example"]]


def split_summary(examples: pd.DataFrame, compounds: pd.DataFrame) -> pd.DataFrame:
    """Compounds, scaffolds, mechanisms and fields in each fold of a split."""
    members = examples.merge(compounds[["inchikey", "scaffold"]], on="inchikey", how="left")
    rows = [
        {
            "fold": fold,
            "compounds": group["inchikey"].nunique(),
            "scaffolds": group["scaffold"].nunique(),
            "mechanisms": group["moa"].dropna().nunique(),
            "fields": len(group),
        }
        for fold in FOLDS
        for group in [members[members["fold"] == fold]]
    ]
    return pd.DataFrame(rows).map(lambda cell: f"{cell:,}" if isinstance(cell, int) else cell)


def training_summary(history: pd.DataFrame) -> str:
    """One sentence on a training, from the table ``history``, which is empty for a published model."""
    if history.empty:
        return "The model was not trained here: which compounds it was trained on is not known."
    sentence = f"Trained for {len(history)} epochs ({history['step'].max():,} steps)"
    for row in history[history["best"]].to_dict("records"):
        sentence += f"; epoch {row['epoch']} (counted from 0) was kept"
        if pd.notna(row.get("validation_top1")):
            sentence += f", with {100 * row['validation_top1']:.1f} % validation top-1 in the full pool"
    return f"{sentence}. Median speed {history['fields_per_second'].median():,.0f} fields per second."


def model_table(checkpoints: Mapping[str, Any], histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What each model sees, how it encodes and how it was trained; one row per model, all cells text.

    Parameters
    ----------
    checkpoints
        Label -> checkpoint, which has ``config`` and ``tensors``.
    histories
        Label -> table ``history``, which is empty for a published model.
    """
    rows = []
    for label, checkpoint in checkpoints.items():
        config, history = checkpoint.config, histories[label]
        kept = history[history["best"]].to_dict("records") if len(history) else []
        rows.append(
            {
                "model": label,
                **{
                    side: f"{config['views'][side]['name']} → {config['architecture'][side]['name']}"
                    for side in ("field", "compound")
                },
                "objective": (config["objective"] or {}).get("name", NOTHING),
                "tensor elements": f"{sum(tensor.numel() for tensor in checkpoint.tensors.values()):,}",
                "epochs": f"{len(history)}" if len(history) else NOTHING,
                "kept epoch": f"{kept[0]['epoch']}" if kept else NOTHING,
                "validation top-1": _validated(kept[0]) if kept else NOTHING,
            }
        )
    return pd.DataFrame(rows)


def _validated(row: dict) -> str:
    value = row.get("validation_top1")
    return NOTHING if pd.isna(value) else f"{100 * value:.1f} %"

"""Tables as people read them: retrieval results as text and as rows of strings for HTML, data and split summaries."""

from itertools import product

import pandas as pd

from cloome_kedro.reporting.figures import CHANCE, DIRECTIONS, MODEL, in_order, single_draw

SIMULATED = "SIMULATED DATA"
_KEY = ["split", "pool", "candidates", "direction", "method"]


def _percent(row: dict) -> str:
    text = f"{100 * row['value']:.1f} %"
    return text if pd.isna(row["low"]) else f"{text} ({100 * row['low']:.1f}–{100 * row['high']:.1f})"


def _top_k(names: pd.Series) -> list[str]:
    return sorted({name for name in names if name.startswith("top-")}, key=lambda name: int(name.removeprefix("top-")))


def retrieval_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a split, pool, direction and method, all cells as text, e.g. top-1 as ``12.3 % (9.1–16.0)``.

    Rows follow the metrics' order of splits; within a split the sampled pool comes first, then the full one, and
    methods as :func:`~cloome_kedro.reporting.figures.in_order` has them. Where methods ranked pools of different sizes,
    the larger comes first: only rows of one size can be compared. A metric that a method does not have is shown as
    ``–``.

    Parameters
    ----------
    metrics : table ``metrics`` of retrieval, of one split or of several joined; the single draw of fields is shown
    """
    metrics = single_draw(metrics).astype({"candidates": int})
    top = _top_k(metrics["metric"])
    present = {tuple(key): group for key, group in metrics.groupby(_KEY)}
    sizes = sorted(metrics["candidates"].unique(), reverse=True)
    methods = in_order(metrics["method"])
    rows = []
    for key in product(metrics["split"].unique(), ("sampled", "full"), sizes, DIRECTIONS, methods):
        if key not in present:
            continue
        cells = {row["metric"]: row for row in present[key].to_dict("records")}
        median = cells.get("median rank", {"value": None})["value"]
        rows.append(
            dict(zip(_KEY, map(str, key), strict=True))
            | {metric: _percent(cells[metric]) if metric in cells else "–" for metric in top}
            | {"median rank": "–" if pd.isna(median) else f"{median:g}", "n": str(present[key]["n"].iloc[0])}
        )
    return pd.DataFrame(rows, columns=[*_KEY, *top, "median rank", "n"])


def retrieval_tables(metrics: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """:func:`retrieval_table` of one split, a table for each pool, by its heading."""
    return {
        f"{candidates} candidates ({pool} pool)": block.drop(columns=["split", "pool", "candidates"])
        for (pool, candidates), block in retrieval_table(metrics).groupby(["pool", "candidates"], sort=False)
    }


def format_retrieval(metrics: pd.DataFrame, simulated: bool, confidence: float = 0.95) -> str:
    """Plain text of :func:`retrieval_table` for the terminal, one block a split and pool."""
    lines = [f"Retrieval, with exact {100 * confidence:g} % intervals" + (f" — {SIMULATED}" if simulated else "")]
    for split, of_split in metrics.groupby("split", sort=False):
        for heading, shown in retrieval_tables(of_split).items():
            lines += ["", f"{split} split, {heading}", *_text(shown)]
    return "\n".join(lines)


def _text(table: pd.DataFrame) -> list[str]:
    """A table of strings as aligned lines: the first two columns to the left, the others to the right."""
    rows = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [
        [
            cell.rjust(width) if i > 1 else cell.ljust(width)
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
    rejected : table with ``reason`` and the column ``key`` that names an item
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


def split_summary(folds: pd.DataFrame, compounds: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Compounds, scaffolds, mechanisms and paired fields in each fold."""
    members = folds.merge(compounds[["inchikey", "scaffold", "moa"]], on="inchikey", how="left")
    paired = pairs["inchikey"].map(folds.set_index("inchikey")["fold"]).value_counts()
    rows = [
        {
            "fold": fold,
            "compounds": len(group),
            "scaffolds": group["scaffold"].nunique(),
            "mechanisms": group["moa"].dropna().nunique(),
            "fields": int(paired.get(fold, 0)),
        }
        for fold in ("train", "validation", "test")
        for group in [members[members["fold"] == fold]]
    ]
    return pd.DataFrame(rows).map(lambda cell: f"{cell:,}" if isinstance(cell, int) else cell)


def training_summary(history: pd.DataFrame) -> str:
    """One sentence on a training, from the table ``history``."""
    sentence = f"Trained for {len(history)} epochs ({history['step'].max():,} steps)"
    for row in history[history["best"]].to_dict("records"):
        sentence += f"; epoch {row['epoch']} (counted from 0) was kept"
        if pd.notna(row["validation_top1"]):
            sentence += f", with {100 * row['validation_top1']:.1f} % validation top-1 in the full pool"
    return f"{sentence}. Median speed {history['fields_per_second'].median():,.0f} fields a second."


def headline(metrics: pd.DataFrame) -> list[dict]:
    """Top-1 of the model in the sampled pool, one entry a split and direction, as the report's first lines.

    Returns
    -------
    dicts with ``split``, ``direction``, ``label``, ``value``, ``low``, ``high``, ``chance`` (proportions), ``n``,
    ``candidates``, and ``others`` (baseline and oracles: method -> proportion).
    """
    metrics = single_draw(metrics).astype({"candidates": int})
    top1 = metrics[(metrics["metric"] == "top-1") & (metrics["pool"] == "sampled")]
    entries = []
    for row in top1[top1["method"] == MODEL].to_dict("records"):
        same = top1[(top1["split"] == row["split"]) & (top1["direction"] == row["direction"])]
        values = dict(zip(same["method"], same["value"], strict=True))
        entries.append(
            {key: row[key] for key in ("split", "direction", "value", "low", "high", "chance", "n", "candidates")}
            | {"label": DIRECTIONS[row["direction"]]}
            | {"others": {method: values[method] for method in in_order(values) if method not in (MODEL, CHANCE)}}
        )
    return entries

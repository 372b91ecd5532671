"""Tables of zero-shot classification, probing, corruptions and leaks for HTML. All cells are text.

The functions have these parameters:

metrics, differences, scores, corrupted_fields, leaks : pandas.DataFrame
    Rows of one split in the tables of these names (``scores``: ``probing_scores``).
task : str
    One of :data:`cloome_kedro.words.ZERO_SHOT`.
look : cloome_kedro.reporting.style.Look
    Order of methods, and the first model.

A table is empty if there are no results.
"""

from collections.abc import Mapping

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, percent_text, top_k_cells
from cloome_kedro.reporting.probing_figures import LEVELS
from cloome_kedro.reporting.style import Look, corruption_label, images_in_order, single_draw, top_k_names
from cloome_kedro.reporting.zero_shot_figures import protocol_label, protocols
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, ZERO_SHOT

#: values of ``against`` in differences to a protocol with fewer restrictions
UNRESTRICTED = ("excluded none", "pool full")


def zero_shot_table(metrics: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """Tabulate zero-shot classification with the published protocol, in which any reference is allowed.

    There is one row per method: the single draw, and top-1 over all draws.
    """
    rows = metrics[(metrics["task"] == task) & (metrics["pool"] == "full") & metrics["excluded"].isin(["none"])]
    rows = rows[(rows["images"] == CLEAN) & rows["shown_by"].isin(single_draw(rows)["shown_by"])]
    top_ks, table = top_k_names(rows["metric"]), []
    for method in look.in_order(rows["method"]):
        method_rows = rows[rows["method"] == method]
        first = method_rows[method_rows["draws"] == 1].iloc[0]
        sizes = {"classes": f"{first['candidates']:g}", "n": f"{first['n']:,}"}
        table.append({"method": method} | top_k_cells(method_rows, top_ks) | sizes)
    return pd.DataFrame(table)


def exclusion_table(metrics: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """Tabulate top-1 in a single draw by method (rows) and allowed references (columns)."""
    rows = single_draw(metrics[(metrics["task"] == task) & (metrics["metric"] == "top-1")])
    return _by_protocol(rows, look, signed=False)


def exclusion_costs(differences: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """Tabulate the change of top-1 if references are excluded, by method (rows) and allowed references (columns).

    A cell is top-1 with the exclusion minus top-1 without it, in percentage points.
    """
    against = differences["against"].isin(UNRESTRICTED)
    rows = differences[(differences["task"] == task) & (differences["metric"] == "top-1") & against]
    return _by_protocol(rows[rows["shown_by"].isin(rows["shown_by"].head(1))], look, signed=True)


def _by_protocol(rows: pd.DataFrame, look: Look, signed: bool) -> pd.DataFrame:
    key = ["method", "pool", "excluded"]
    cells = {
        tuple(row[name] for name in key): percent_text(row, signed)
        for row in rows.drop_duplicates(key).to_dict("records")
    }
    table = [
        {"method": method}
        | {
            protocol_label(pool, excluded): cells.get((method, pool, excluded), ABSENT)
            for pool, excluded in protocols(rows)
        }
        for method in look.in_order(rows["method"])
    ]
    return pd.DataFrame(table)


def method_differences(differences: pd.DataFrame, metrics: tuple[str, ...] = ("top-1",)) -> pd.DataFrame:
    """Tabulate the paired differences between a model and the other methods except oracles.

    Parameters
    ----------
    differences
        Rows of the table ``differences`` of the model.
    metrics
        Names of metrics.

    Returns
    -------
    pandas.DataFrame
        One row per task, protocol and method: the model minus the method, in percentage points. For probing the unit is
        a hundredth of AUC.
    """
    rows = differences[differences["metric"].isin(metrics) & differences["against"].str.match("method (?!Oracle)")]
    table = [
        {
            "task": row["task"] if pd.isna(row["direction"]) else DIRECTIONS[row["direction"]],
            **({} if rows["pool"].isna().all() else {"candidates": _candidates_text(row)}),
            "against": row["against"].removeprefix("method "),
            "difference (points)": percent_text(row, signed=True),
            "compounds": f"{row['compounds']:,}",
            "n": f"{row['n']:,}",
        }
        for row in rows.to_dict("records")
    ]
    return pd.DataFrame(table)


def _candidates_text(row: dict) -> str:
    if row["task"] in ZERO_SHOT:
        return protocol_label(row["pool"], row["excluded"])
    shown_by = "" if row["shown_by"] == "field" else ", mean of fields"
    return f"{row['pool']} pool{shown_by}"


def probing_table(metrics: pd.DataFrame, look: Look, images: str = CLEAN) -> pd.DataFrame:
    """Tabulate probing: means ± SD over assays, and the number of assays above each level of AUC.

    There is one row per method. ``images`` is the kind of images.
    """
    rows = metrics[(metrics["task"] == PROBING) & (metrics["images"] == images)]
    table = []
    for method in look.in_order(rows["method"]):
        by_metric = {row["metric"]: row for row in rows[rows["method"] == method].to_dict("records")}
        cells = {"method": method}
        for score in ("AUC", "F1", "average precision", "MCC"):
            mean, sd = by_metric.get(f"mean {score}"), by_metric.get(f"SD {score}")
            cells[score] = ABSENT if mean is None else f"{mean['value']:.3f}" + (f" ± {sd['value']:.3f}" if sd else "")
        auc = by_metric.get("mean AUC")
        if auc and pd.notna(auc["low"]):
            cells["AUC"] += f" ({auc['low']:.3f}–{auc['high']:.3f})"
        for level in LEVELS:
            count = by_metric.get(f"AUC > {level:g}")
            cells[f"> {level:g}"] = ABSENT if count is None else f"{count['value']:.0f}"
        cells["assays"] = ABSENT if auc is None else f"{auc['n']:,}"
        table.append(cells)
    return pd.DataFrame(table)


def unscored_assays(scores: pd.DataFrame, look: Look, max_reasons: int = 10) -> pd.DataFrame:
    """Count the assays that have no score for the first model by reason, with one example per reason.

    The table has at most ``max_reasons`` rows. Rarer reasons are left out.
    """
    rows = scores[(scores["method"] == look.model) & ~scores["scored"]]
    table = rows.groupby("reason").agg(assays=("assay", "size"), example=("assay", "first")).reset_index()
    table = table.sort_values("assays", ascending=False, kind="stable").head(max_reasons)
    return table.astype({"assays": str})[["assays", "reason", "example"]]


def corruption_table(
    metrics: pd.DataFrame, differences: pd.DataFrame, look: Look, seen: Mapping[str, str] = {}
) -> pd.DataFrame:
    """Tabulate top-k of the first model on clean and corrupted images, and the paired difference of top-1 to clean.

    There is one row per task, candidates and kind of images. ``seen`` says of each corruption whether training has
    shown such images: no, partly or yes.
    """
    single = _published_protocols(metrics[metrics["method"] == look.model])
    changes = differences[(differences["against"] == CLEAN) & (differences["metric"] == "top-1")]
    changes = changes[changes["method"] == look.model]
    keys = ["task", "direction", "pool", "shown_by", "excluded"]
    table = []
    for key, group in single.groupby(keys, sort=False, dropna=False):
        names = images_in_order(group["images"])
        if names == [CLEAN]:
            continue
        by_images = changes[_equal(changes, dict(zip(keys, key, strict=True)))].set_index("images")
        for name in names:
            by_metric = {row["metric"]: row for row in group[group["images"] == name].to_dict("records")}
            row = next(iter(by_metric.values()))
            change = percent_text(by_images.loc[name].to_dict(), signed=True) if name in by_images.index else ABSENT
            table.append(
                {"task": row["task"] if pd.isna(row["direction"]) else DIRECTIONS[row["direction"]]}
                | {"candidates": _candidates_text(row), "images": corruption_label(name, seen.get(name, "no"))}
                | {top_k: percent_text(by_metric[top_k]) for top_k in top_k_names(by_metric)}
                | {"top-1 minus clean (points)": change, "n": f"{row['n']:,}"}
            )
    return pd.DataFrame(table)


def _published_protocols(metrics: pd.DataFrame) -> pd.DataFrame:
    """Select top-k of the single draw with the published protocols, clean and corrupted images."""
    rows = metrics[(metrics["draws"] == 1) & metrics["metric"].str.startswith("top-")]
    rows = rows[(rows["shown_by"] == "field") & (rows["excluded"].isna() | (rows["excluded"] == "none"))]
    return rows[rows["pool"] != "same plate"]


def _equal(table: pd.DataFrame, values: dict) -> pd.Series:
    """Check which rows have these values. Missing values are equal to each other."""
    equal = pd.Series(True, index=table.index)
    for name, value in values.items():
        equal &= table[name].isna() if pd.isna(value) else table[name] == value
    return equal


def corrupted_summary(corrupted_fields: pd.DataFrame) -> pd.DataFrame:
    """Count the corrupted fields, and summarise the black share of the encoder's input, by corruption."""
    table = []
    for name in images_in_order(corrupted_fields["corruption"]):
        rows = corrupted_fields[corrupted_fields["corruption"] == name]
        table.append(
            {
                "images": corruption_label(name),
                "stage": ", ".join(sorted(rows["stage"].unique())),
                "fields": f"{len(rows):,}",
                "black, mean": f"{100 * rows['black'].mean():.1f} %",
                "black, maximum": f"{100 * rows['black'].max():.1f} %",
                "fields with black": f"{100 * (rows['black'] > 0).mean():.0f} %",
                "shown in training": rows["augmentation"].iloc[0],
            }
        )
    return pd.DataFrame(table)


def leak_table(leaks: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the compounds of a fold that have a relative in another fold.

    There is one row per pair of folds, one column per kind of relative, and an example. Pairs whose first fold is empty
    are left out.
    """
    leaks = leaks[leaks["of"] > 0]
    table = []
    for (fold, other_fold), group in leaks.groupby(["fold", "other_fold"], sort=False):
        rows = group.set_index("kind")
        example = rows["example"].get("near-duplicate")
        table.append(
            {"fold": fold, "shared with": other_fold, "compounds": f"{rows['of'].iloc[0]:,}"}
            | {kind: f"{rows['compounds'].get(kind, 0):,}" for kind in leaks["kind"].unique()}
            | {"example of a near-duplicate": ABSENT if pd.isna(example) else example}
        )
    return pd.DataFrame(table)

"""Zero-shot classification, probing, corruptions and audits as tables of strings for HTML."""

import pandas as pd

from cloome_kedro.reporting.probing_figures import LEVELS
from cloome_kedro.reporting.style import Look, corruption_label, images_in_order, single_draw, top_k_names
from cloome_kedro.reporting.tables import NOTHING, percent_text, top_k_cells
from cloome_kedro.reporting.zero_shot_figures import protocol_label, protocols
from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, ZERO_SHOT

#: how differences name the published protocol, in which nothing is excluded
WITHOUT_EXCLUSION = ("excluded none", "pool full")


def zero_shot_table(metrics: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """One row per method, by the published protocol: any reference, one draw; beside it top-1 over all draws.

    Parameters
    ----------
    metrics
        Table ``metrics`` of one split.
    task
        One of :data:`cloome_kedro.words.ZERO_SHOT`.
    look
        Order of methods.

    Returns
    -------
    pandas.DataFrame
        Strings; empty where the task has no row.
    """
    rows = metrics[(metrics["task"] == task) & (metrics["pool"] == "full") & metrics["excluded"].isin(["none"])]
    rows = rows[(rows["images"] == CLEAN) & rows["shown_by"].isin(single_draw(rows)["shown_by"])]
    tops, table = top_k_names(rows["metric"]), []
    for method in look.in_order(rows["method"]):
        of_method = rows[rows["method"] == method]
        first = of_method[of_method["draws"] == 1].iloc[0]
        sizes = {"classes": f"{first['candidates']:g}", "n": f"{first['n']:,}"}
        table.append({"method": method} | top_k_cells(of_method, tops) | sizes)
    return pd.DataFrame(table)


def exclusion_table(metrics: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """Top-1 of every method (columns) by what references may be (rows); empty where the task has no row."""
    rows = single_draw(metrics[(metrics["task"] == task) & (metrics["metric"] == "top-1")])
    return _by_protocol(rows, look, signed=False)


def exclusion_costs(differences: pd.DataFrame, task: str, look: Look) -> pd.DataFrame:
    """Top-1 with references left out (rows) minus top-1 with any, on the same queries, of every method (columns)."""
    against = differences["against"].isin(WITHOUT_EXCLUSION)
    rows = differences[(differences["task"] == task) & (differences["metric"] == "top-1") & against]
    return _by_protocol(rows[rows["shown_by"].isin(rows["shown_by"].head(1))], look, signed=True)


def _by_protocol(rows: pd.DataFrame, look: Look, signed: bool) -> pd.DataFrame:
    table = []
    for pool, excluded in protocols(rows):
        here = rows[(rows["pool"] == pool) & (rows["excluded"] == excluded)].drop_duplicates("method")
        cells = {row["method"]: percent_text(row, signed) for row in here.to_dict("records")}
        known = {method: cells.get(method, NOTHING) for method in look.in_order(rows["method"])}
        table.append({"references": protocol_label(pool, excluded)} | known)
    return pd.DataFrame(table)


def method_differences(differences: pd.DataFrame, metrics: tuple[str, ...] = ("top-1",)) -> pd.DataFrame:
    """The model minus each other method but oracles, paired; one row per task, protocol and method.

    Differences are in points of per cent, of AUC in hundredths.
    """
    rows = differences[differences["metric"].isin(metrics) & differences["against"].str.match("method (?!Oracle)")]
    table = [
        {
            "task": row["task"] if pd.isna(row["direction"]) else DIRECTIONS[row["direction"]],
            **({} if rows["pool"].isna().all() else {"candidates": _pool(row)}),
            "against": row["against"].removeprefix("method "),
            "difference (points)": percent_text(row, signed=True),
            "compounds": f"{row['compounds']:,}",
            "n": f"{row['n']:,}",
        }
        for row in rows.to_dict("records")
    ]
    return pd.DataFrame(table)


def _pool(row: dict) -> str:
    if row["task"] in ZERO_SHOT:
        return protocol_label(row["pool"], row["excluded"])
    shown = "" if row["shown_by"] == "field" else ", mean of fields"
    return f"{row['pool']} pool{shown}"


def probing_table(metrics: pd.DataFrame, look: Look, images: str = CLEAN) -> pd.DataFrame:
    """Mean ± SD over assays, and how many assays lie above each level of AUC; one row per method."""
    rows = metrics[(metrics["task"] == PROBING) & (metrics["images"] == images)]
    table = []
    for method in look.in_order(rows["method"]):
        of_method = rows[rows["method"] == method]
        cells = {row["metric"]: row for row in of_method.to_dict("records")}
        line = {"method": method}
        for name, label in (("AUC", "AUC"), ("F1", "F1"), ("average precision", "average precision"), ("MCC", "MCC")):
            mean, sd = cells.get(f"mean {name}"), cells.get(f"SD {name}")
            line[label] = NOTHING if mean is None else f"{mean['value']:.3f}" + (f" ± {sd['value']:.3f}" if sd else "")
        auc = cells.get("mean AUC")
        known = auc and pd.notna(auc["low"])
        line["interval of mean AUC"] = f"{auc['low']:.3f}–{auc['high']:.3f}" if auc and known else NOTHING
        for level in LEVELS:
            count = cells.get(f"AUC > {level:g}")
            line[f"> {level:g}"] = NOTHING if count is None else f"{count['value']:.0f}"
        line["assays"] = NOTHING if auc is None else f"{auc['n']:,}"
        table.append(line)
    return pd.DataFrame(table)


def unscored_assays(scores: pd.DataFrame, look: Look, most: int = 10) -> pd.DataFrame:
    """Assays that the model's probe could not be scored on, counted by reason."""
    rows = scores[(scores["method"] == look.model) & ~scores["scored"]]
    table = rows.groupby("reason").agg(assays=("assay", "size"), example=("assay", "first")).reset_index()
    table = table.sort_values("assays", ascending=False, kind="stable").head(most)
    return table.astype({"assays": str})[["assays", "reason", "example"]]


def corruption_table(metrics: pd.DataFrame, differences: pd.DataFrame, look: Look) -> pd.DataFrame:
    """The model's top-k, and the paired difference of its top-1 to clean; one row per task and kind of images."""
    one = _single_draw_of_all(metrics[metrics["method"] == look.model])
    change = differences[(differences["against"] == CLEAN) & (differences["metric"] == "top-1")]
    change = change[change["method"] == look.model]
    keys = ["task", "direction", "pool", "shown_by", "excluded"]
    table = []
    for key, group in one.groupby(keys, sort=False, dropna=False):
        names = images_in_order(group["images"])
        if names == [CLEAN]:
            continue
        same = change[_equal(change, dict(zip(keys, key, strict=True)))].set_index("images")
        for name in names:
            cells = {row["metric"]: row for row in group[group["images"] == name].to_dict("records")}
            row = next(iter(cells.values()))
            against = percent_text(same.loc[name].to_dict(), signed=True) if name in same.index else NOTHING
            table.append(
                {"task": row["task"] if pd.isna(row["direction"]) else DIRECTIONS[row["direction"]]}
                | {"candidates": _pool(row), "images": corruption_label(name)}
                | {top: percent_text(cells[top]) for top in top_k_names(cells)}
                | {"top-1 minus clean (points)": against, "n": f"{row['n']:,}"}
            )
    return pd.DataFrame(table)


def _single_draw_of_all(metrics: pd.DataFrame) -> pd.DataFrame:
    """Top-k rows of the single draw, by the published protocols, clean and corrupted."""
    rows = metrics[(metrics["draws"] == 1) & metrics["metric"].str.startswith("top-")]
    rows = rows[(rows["shown_by"] == "field") & (rows["excluded"].isna() | (rows["excluded"] == "none"))]
    return rows[rows["pool"] != "same plate"]


def _equal(table: pd.DataFrame, values: dict) -> pd.Series:
    same = pd.Series(True, index=table.index)
    for name, value in values.items():
        same &= table[name].isna() if pd.isna(value) else table[name] == value
    return same


def corrupted_summary(corrupted_fields: pd.DataFrame) -> pd.DataFrame:
    """What was done to how many fields, and how much black the encoder saw."""
    table = []
    for name in images_in_order(corrupted_fields["corruption"]):
        rows = corrupted_fields[corrupted_fields["corruption"] == name]
        table.append(
            {
                "images": corruption_label(name),
                "stage": ", ".join(sorted(rows["stage"].unique())),
                "fields": f"{len(rows):,}",
                "black, mean": f"{100 * rows['black'].mean():.1f} %",
                "black, most": f"{100 * rows['black'].max():.1f} %",
                "fields with black": f"{100 * (rows['black'] > 0).mean():.0f} %",
                "shown in training": "yes" if rows["augmentation"].any() else "no",
            }
        )
    return pd.DataFrame(table)


def leak_table(leaks: pd.DataFrame) -> pd.DataFrame:
    """What two folds share: one row per pair of folds, one column per kind of relative, and an example."""
    leaks = leaks[leaks["of"] > 0]
    table = []
    for (fold, other), group in leaks.groupby(["fold", "other_fold"], sort=False):
        rows = group.set_index("kind")
        example = rows["example"].get("near-duplicate")
        table.append(
            {"fold": fold, "shared with": other, "compounds": f"{rows['of'].iloc[0]:,}"}
            | {kind: f"{rows['compounds'].get(kind, 0):,}" for kind in leaks["kind"].unique()}
            | {"example of a near-duplicate": NOTHING if pd.isna(example) else example}
        )
    return pd.DataFrame(table)

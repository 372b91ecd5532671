"""Tables for readers: retrieval results, the screen, splits and models, as text and as rows of strings for HTML."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, percent_text, text_lines, top_k_cells
from cloome_kedro.reporting.small_screens import evaluable, why_not
from cloome_kedro.reporting.style import Look, single_draw, top_k_names
from cloome_kedro.words import CLEAN, DIRECTIONS, FOLDS, RETRIEVAL, counted

_POOLS = ("sampled", "full", "same plate")
_SHOWN_BY = {"field": "one field", "mean": "mean of fields"}
_KEY = ["split", "pool", "candidates", "direction", "method", "shown_by"]

#: parts of a reason for a rejection that differ from item to item
_VALUES = r"'[^']*'|\d+"


def retrieval_table(metrics: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Tabulate retrieval, one row per split, pool, direction, method and way to show a compound.

    Parameters
    ----------
    metrics
        Table ``metrics`` of retrieval, one or several splits.
    look
        Order of methods.

    Returns
    -------
    pandas.DataFrame
        All cells are text. Splits are in the order of ``metrics``. In a split, the sampled pool comes first, then the
        full pool, then the pool of the query's plate. If methods ranked pools of different sizes, the larger size comes
        first. Only rows with the same size can be compared.
    """
    metrics = metrics[metrics["images"] == CLEAN]
    metrics = metrics.assign(candidates=metrics["candidates"].round(1).map("{:g}".format))
    top_ks, methods = top_k_names(metrics["metric"]), look.in_order(metrics["method"])
    groups = {tuple(key): group for key, group in metrics.groupby(_KEY)}
    of_draw = metrics[(metrics["metric"] == "median rank") & (metrics["draws"] == 1)].drop_duplicates(_KEY)
    medians = {tuple(row): value for *row, value in zip(*(of_draw[name] for name in [*_KEY, "value"]), strict=True)}
    sizes = sorted(metrics["candidates"].unique(), key=float, reverse=True)
    rows = []
    for key in product(metrics["split"].unique(), _POOLS, sizes, DIRECTIONS, methods, _SHOWN_BY):
        if key not in groups:
            continue
        median = medians.get(key)
        rows.append(
            dict(zip(_KEY, map(str, key), strict=True))
            | top_k_cells(groups[key], top_ks)
            | {"median rank": ABSENT if median is None else f"{median:g}", "n": str(groups[key]["n"].iat[0])}
        )
    columns = [*_KEY, *top_ks, "top-1 over draws", "median rank", "n"]
    return pd.DataFrame(rows, columns=columns).replace({"shown_by": _SHOWN_BY, "direction": DIRECTIONS})


def retrieval_tables(metrics: pd.DataFrame, look: Look) -> dict[str, pd.DataFrame]:
    """Split :func:`retrieval_table` of one split into one table per pool.

    Returns
    -------
    dict
        Heading -> table.
    """
    kinds = {"same plate": "on average, all of the query's plate"}
    return {
        f"{counted(float(str(candidates)), 'candidate')} {kinds.get(str(pool), f'({pool} pool)')}": block.drop(
            columns=["split", "pool", "candidates"]
        ).rename(columns={"shown_by": "shown by"})
        for (pool, candidates), block in retrieval_table(metrics, look).groupby(["pool", "candidates"], sort=False)
    }


def format_retrieval(metrics: pd.DataFrame, look: Look, confidence: float = 0.95, fold: str = "test") -> str:
    """Format the single draw with one field per compound as text for the terminal.

    Parameters
    ----------
    metrics
        Table ``metrics`` of retrieval, one or several splits.
    look
        Order of methods, and note about the data.
    confidence
        Confidence level of the intervals.
    fold
        Name of the fold that was evaluated.

    Returns
    -------
    str
        One block per split and pool, without the pool of the query's plate.
    """
    lines = [f"Retrieval, with exact {100 * confidence:g} % intervals{look.warning}"]
    shown = single_draw(metrics)
    for split, rows in shown[shown["pool"] != "same plate"].groupby("split", sort=False):
        if reason := why_not(rows, RETRIEVAL, fold):
            lines += ["", f"{split} split: {reason}"]
        for heading, table in retrieval_tables(evaluable(rows), look).items():
            lines += ["", f"{split} split, {heading}"]
            lines += text_lines(table.drop(columns=["shown by", "top-1 over draws"]))
    return "\n".join(lines)


def replicate_table(metrics: pd.DataFrame | None) -> pd.DataFrame:
    """Tabulate the retrieval of replicates, one row: top-k accuracies with intervals, median rank, chance, n.

    Parameters
    ----------
    metrics
        Table ``replicate_metrics``. None, or no rows: the result has no rows.
    """
    if metrics is None or metrics.empty:
        return pd.DataFrame()
    row: dict[str, str] = {}
    for metric in metrics.to_dict("records"):
        is_accuracy = str(metric["metric"]).startswith("top-")
        chance = f"chance {100 * metric['chance']:.1f} %"
        row[metric["metric"]] = f"{percent_text(metric)}, {chance}" if is_accuracy else f"{metric['value']:g}"
    return pd.DataFrame([{"query": "one plate → other plates", **row, "compounds": str(metrics["n"].iloc[0])}])


def data_summary(
    fields: pd.DataFrame,
    rejected_fields: pd.DataFrame,
    compounds: pd.DataFrame,
    merged_compounds: pd.DataFrame,
    pairs: pd.DataFrame,
) -> pd.DataFrame:
    """Count plates, wells, fields, compounds and mechanisms of the screen.

    Parameters
    ----------
    fields, rejected_fields, compounds, merged_compounds, pairs
        Tables of these names.

    Returns
    -------
    pandas.DataFrame
        A label and a number in each row, all cells are text.
    """
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
        "compounds without their counter-ions or solvents": int(compounds["stripped"].notna().sum()),
        "compounds that unite different names or mechanisms": merged_compounds["inchikey"].nunique(),
        "compounds with a field": pairs["inchikey"].nunique(),
        "treatments (compound at a concentration)": pairs["treatment"].nunique(),
        "scaffolds": compounds["scaffold"].nunique(),
        "mechanisms named": compounds["moa"].dropna().nunique(),
    }
    return pd.DataFrame({"": list(counts), "number": [f"{count:,}" for count in counts.values()]})


def stripped_summary(compounds: pd.DataFrame, max_rows: int = 15) -> pd.DataFrame:
    """Count the compounds from which each counter-ion or solvent was stripped.

    Parameters
    ----------
    compounds
        Table of this name.
    max_rows
        Maximum number of counter-ions and solvents that have a row. The others share the last row.

    Returns
    -------
    pandas.DataFrame
        Columns stripped, compounds. The most frequent comes first.
    """
    counts = compounds["stripped"].dropna().str.split("|").explode().value_counts()
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    table = pd.DataFrame({"stripped": counts.index.astype(str), "compounds": counts.to_numpy()})
    rest = table.iloc[max_rows:]
    if len(rest):
        other = {"stripped": f"{len(rest)} others", "compounds": rest["compounds"].sum()}
        table = pd.concat([table.iloc[:max_rows], pd.DataFrame([other])], ignore_index=True)
    return table.astype({"compounds": str})


def rejected_summary(rejected: pd.DataFrame, key: str, max_reasons: int = 15) -> pd.DataFrame:
    """Count rejected items by reason, with one example per reason.

    Reasons that differ only in numbers and quoted values, such as the line of a file, are counted together.

    Parameters
    ----------
    rejected
        Table with the column ``reason``.
    key
        Column that names an item.
    max_reasons
        Maximum number of reasons that have a row. The other, rarer reasons share the last row.

    Returns
    -------
    pandas.DataFrame
        Columns number, reason (of the example), example. The most frequent reason comes first.
    """
    table = (
        rejected.groupby(rejected["reason"].str.replace(_VALUES, "…", regex=True), sort=False)
        .agg(number=(key, "size"), reason=("reason", "first"), example=(key, "first"))
        .sort_values("number", ascending=False, kind="stable")
        .reset_index(drop=True)
    )
    rest = table.iloc[max_reasons:]
    if len(rest):
        other = {"reason": f"{len(rest)} other reasons", "number": rest["number"].sum(), "example": "…"}
        table = pd.concat([table.iloc[:max_reasons], pd.DataFrame([other])], ignore_index=True)
    return table.astype({"number": str})[["number", "reason", "example"]]


def split_summary(examples: pd.DataFrame, compounds: pd.DataFrame) -> pd.DataFrame:
    """Count compounds, scaffolds, mechanisms and fields in each fold of a split.

    Parameters
    ----------
    examples, compounds
        Tables of these names.
    """
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
    """Describe a training in sentences.

    Parameters
    ----------
    history
        Table of this name. It is empty for a published model.
    """
    if history.empty:
        return "The model was not trained here. Its training compounds are not known."
    sentences = [
        f"The model was trained for {counted(len(history), 'epoch')} ({counted(history['step'].max(), 'step')})."
    ]
    for row in history[history["best"]].to_dict("records"):
        value = row.get("validation_top1")
        with_value = "" if pd.isna(value) else f", with {100 * value:.1f} % validation top-1 in the full pool"
        sentences.append(f"Epoch {row['epoch']} (counted from 0) was kept{with_value}.")
    sentences.append(f"The median speed was {history['fields_per_second'].median():,.0f} fields per second.")
    return " ".join(sentences)


def model_table(checkpoints: Mapping[str, Any], histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tabulate the views, encoders and training of each model.

    Parameters
    ----------
    checkpoints
        Label -> checkpoint, which has ``config`` and ``tensors``.
    histories
        Label -> table ``history``, which is empty for a published model.

    Returns
    -------
    pandas.DataFrame
        One row per model, all cells are text.
    """
    rows = []
    for label, checkpoint in checkpoints.items():
        config, history = checkpoint.config, histories[label]
        best_epochs = history[history["best"]].to_dict("records") if len(history) else []
        kept = best_epochs[0] if best_epochs else {}
        top1 = kept.get("validation_top1")
        rows.append(
            {
                "model": label,
                **{
                    side: f"{config['views'][side]['name']} → {config['architecture'][side]['name']}"
                    for side in ("field", "compound")
                },
                "objective": (config["objective"] or {}).get("name", ABSENT),
                "tensor elements": f"{sum(tensor.numel() for tensor in checkpoint.tensors.values()):,}",
                "epochs": f"{len(history)}" if len(history) else ABSENT,
                "kept epoch": f"{kept['epoch']}" if kept else ABSENT,
                "validation top-1": ABSENT if pd.isna(top1) else f"{100 * top1:.1f} %",
            }
        )
    return pd.DataFrame(rows)

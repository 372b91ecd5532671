"""Tables about recorded runs: a list, and a comparison of two runs."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloome_kedro.words import DIRECTIONS, PROBING, RETRIEVAL

#: columns of a run that are compared, beside its parameters and results
_FACTS = ("step", "split", "variant", "seed", "model", "commit", "version", "split_hash", "data_hash", "weights")
#: dataset name -> path for a row of the table `runs`
Places = Callable[[str, Mapping[str, Any]], Path]


def final_metrics(run: Mapping[str, Any], label: str, place: Places) -> dict[str, float]:
    """Test metrics of a run, if its model was evaluated; otherwise an empty dictionary.

    The model was evaluated if the embeddings have its weights, and the metrics were written after them.

    Parameters
    ----------
    run
        Row of the table ``runs``.
    label
        Name of the model in tables of results.
    place
        Function from the name of a dataset and the run to its path.
    """
    import pandas as pd

    embeddings = place(f"{run['split']}.{run['model']}.field_embeddings", run) / "meta.json"
    metrics = place(f"{run['split']}.metrics", run)
    try:
        if json.loads(embeddings.read_text())["weights"] != run["weights"]:
            return {}
        if metrics.stat().st_mtime < embeddings.stat().st_mtime:
            return {}
        table = pd.read_parquet(metrics)
    except (OSError, ValueError, KeyError):
        return {}
    return of_method(table, label)


def of_method(metrics: Any, label: str) -> dict[str, float]:
    """Metrics of a method on clean images, by name.

    They are means over draws, with one field per compound and without excluded references. Metrics of probing are
    those of compounds.

    Parameters
    ----------
    metrics : pandas.DataFrame
        Table of this name.
    label
        Value of the column ``method``.
    """
    rows = metrics[(metrics["method"] == label) & (metrics["images"] == "clean")]
    rows = rows[rows["excluded"].isna() | (rows["excluded"] == "none")]
    values: dict[str, float] = {}
    for row in rows.sort_values("draws").to_dict(orient="records"):  # the mean over draws replaces the first draw
        if row["task"] == PROBING:
            values[f"{PROBING}: {row['metric']}"] = row["value"]
        elif row["shown_by"] == "field" and row["pool"] != "same plate":
            task = DIRECTIONS[row["direction"]] if row["task"] == RETRIEVAL else row["task"]
            pool = f" ({row['pool']} pool)" if row["task"] == RETRIEVAL else ""
            values[f"{task}: {row['metric']}{pool}"] = row["value"]
    return values


def run_list(runs: Any, metrics: Mapping[str, Mapping[str, float]]) -> Any:
    """List runs, the latest first.

    Parameters
    ----------
    runs : pandas.DataFrame
        Table ``runs``.
    metrics
        Name of each run -> its test metrics, see `final_metrics`.

    Returns
    -------
    pandas.DataFrame
        Columns run, started, seconds, step, split, variant, seed, model, validation (the metric that chose the model,
        with its value), test (mean top-1 over both directions in the sampled pool) and commit.
    """
    rows = runs.iloc[::-1].reset_index(drop=True)
    columns = ["run", "started", "seconds", "step", "split", "variant", "seed", "model"]
    listed = rows[columns].assign(
        started=rows["started"].str[:16],
        validation=[
            _chosen_by(name, json.loads(text))
            for name, text in rows[["selected_by", "validation"]].itertuples(index=False)
        ],
        test_top1=[_mean_top1(metrics.get(run, {})) for run in rows["run"]],
        commit=rows["commit"],
    )
    return listed.astype({"test_top1": float})


def _chosen_by(metric: str, validation: Mapping[str, float]) -> str:
    value = validation.get(f"validation_{metric}")
    return metric if value is None else f"{metric} {value:.3f}"


def _mean_top1(metrics: Mapping[str, float]) -> float:
    values = [metrics.get(f"{direction}: top-1 (sampled pool)", math.nan) for direction in DIRECTIONS.values()]
    return sum(values) / len(values)


def difference(first: Mapping[str, Any], second: Mapping[str, Any], metrics: Mapping[str, Mapping[str, float]]) -> Any:
    """Compare two runs: facts and parameters that differ, and all results.

    Parameters
    ----------
    first, second
        Rows of the table ``runs``.
    metrics
        As for `run_list`.

    Returns
    -------
    pandas.DataFrame
        Columns ``kind`` (fact, parameter, validation or test), ``name``, and one column per run, named by it. Values
        are text. A value that a run does not have is empty.
    """
    import pandas as pd

    rows: list[tuple[str, str, Any, Any]] = []
    for kind, sides in (
        ("fact", [{key: run[key] for key in _FACTS} for run in (first, second)]),
        ("parameter", [json.loads(run["parameters"]) for run in (first, second)]),
        ("validation", [json.loads(run["validation"]) for run in (first, second)]),
        ("test", [metrics.get(run["run"], {}) for run in (first, second)]),
    ):
        a, b = sides
        rows += [
            (kind, name, _text(a.get(name)), _text(b.get(name)))
            for name in dict.fromkeys([*a, *b])
            if kind in ("validation", "test") or a.get(name) != b.get(name)
        ]
    names = [first["run"], second["run"]]
    if names[0] == names[1]:
        raise ValueError(f"{names[0]} is given twice: name two different runs")
    return pd.DataFrame(rows, columns=["kind", "name", *names])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)

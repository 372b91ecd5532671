"""A hyperparameter search as sentences, as tables of strings for HTML, and as text for the terminal."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.tables import NOTHING, text_lines
from cloome_kedro.reporting.tuning_metric import SearchMetric

#: what trains the winner and reports it
TRAIN_WINNER = "kedro run --pipelines tune_and_train,reporting"
_WIDTH = 100  # of the terminal's lines
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def searched(trials: pd.DataFrame) -> list[str]:
    """Searched parameters: the columns whose name has a dot."""
    return [name for name in trials.columns if "." in name]


def short(parameter: str) -> str:
    """A parameter's name for axes, such as ``learning_rate`` of ``fit.learning_rate``."""
    return parameter.removeprefix("fit.")


def default_trial(trials: pd.DataFrame) -> dict | None:
    """The trial of the default configuration; where it was repeated, the one that was completed or else the last."""
    rows = trials[trials["source"] == "default"].sort_values("number")
    complete = rows[rows["state"] == "COMPLETE"]
    found = (complete if len(complete) else rows).tail(1).to_dict("records")
    return found[0] if found else None


def winner_trial(trials: pd.DataFrame) -> dict | None:
    """The best trial; none before the first is complete."""
    found = trials[trials["best"]].to_dict("records")
    return found[0] if found else None


def begun_again(trials: pd.DataFrame) -> pd.Series:
    """Whether a later trial repeats this one, which was killed or interrupted."""
    first = trials["retry_of"].fillna(trials["number"].astype("Int64"))
    return trials["number"] < trials.groupby(first)["number"].transform("max")


def search_text(trials: pd.DataFrame) -> str:
    """What was searched, how far it is, and when, from the table ``trials`` with at least one row."""
    first = trials.iloc[0]
    again = begun_again(trials)
    states = trials.loc[~again, "state"].value_counts()
    counts = [f"{states[state]:,} {text}" for state, text in _STATES.items() if state in states]
    text = f"Study {first['study']} of the model {first['tunes']}: {(~again).sum():,} trials, {', '.join(counts)}"
    if again.any():
        text += f"; {again.sum():,} killed or interrupted and begun again"
    started = trials["started"].dropna()
    if len(started):
        days = sorted({started.min()[:10], started.max()[:10]})
        text += f". Run {'on' if len(days) == 1 else 'from'} {' to '.join(days)}"
        text += f", {_duration(trials['seconds'].sum())} of training in all"
    metric = SearchMetric.named(first["metric"])
    return (
        f"{text}. Maximised: {metric.label}, of the {first['n_validation']:,} validation compounds, at the best epoch."
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def gain_text(trials: pd.DataFrame) -> str:
    """Validation values of default and winner, and what their difference is worth."""
    default, winner = default_trial(trials), winner_trial(trials)
    if winner is None:
        return "No trial is complete yet."
    metric = SearchMetric.named(winner["metric"])
    found = f"{metric.text(winner['value'])} (trial {winner['number']}, epoch {winner['epoch']}, counted from 0)"
    if default is None:
        sentence = f"Winner: {found}; the default configuration was not among the trials."
    elif default["number"] == winner["number"]:
        return f"No trial was better than the default configuration: {found}."
    elif default["state"] != "COMPLETE":
        sentence = f"Winner: {found}; the trial of the default configuration is {_STATES[default['state']]}."
    else:
        gain = metric.text(winner["value"] - default["value"], signed=True)
        sentence = f"Default {metric.text(default['value'])}, winner {found}: {gain} on validation."
    complete = (trials["state"] == "COMPLETE").sum()
    return (
        f"{sentence} The best of {complete:,} trials by one validation fold is an optimistic figure: part of it is luck"
        " that another fold would not repeat. No trial has seen the test fold."
    )


def parameter_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Searched parameters of default and winner side by side, and the range over all trials, as text."""
    sides = {"default": default_trial(trials), "winner": winner_trial(trials)}
    table = [
        {"parameter": name}
        | {side: NOTHING if trial is None else cell(trial[name]) for side, trial in sides.items()}
        | {"of all trials": _range(trials[name].dropna())}
        for name in searched(trials)
    ]
    return pd.DataFrame(table, columns=["parameter", *sides, "of all trials"])


def _range(values: pd.Series) -> str:
    """``low – high`` of numbers, or what there is of few values."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    many = len(distinct) > 4 or 2 < len(distinct) == len(values)
    if many and not any(isinstance(value, str) for value in distinct):
        return f"{cell(distinct[0])} – {cell(distinct[-1])}"
    return ", ".join(map(cell, distinct)) or NOTHING


def cell(value: Any) -> str:
    """A parameter's value as it is written in YAML, to three digits; ``–`` where the trial leaves it out."""
    if pd.isna(value):
        return NOTHING
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else str(value).lower()
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.3g}"


def failure_table(trials: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """Failed trials counted by reason, with an example each; not those that were begun again."""
    failed = trials[(trials["state"] == "FAIL") & ~begun_again(trials)].fillna({"reason": "not known"})
    counted = failed.groupby("reason").agg(trials=("number", "size"), example=("number", "first")).reset_index()
    counted = counted.sort_values("trials", ascending=False, kind="stable").head(most)
    example = "trial " + counted["example"].astype(str)
    return counted.assign(example=example).astype({"trials": str})[["trials", "reason", "example"]]


def search_summary(trials: pd.DataFrame, look: Look) -> str:
    """The search for the terminal: states, gain, and the parameters of default and winner; empty without trials."""
    if trials.empty:
        return ""
    said = [line for text in (search_text(trials), gain_text(trials)) for line in textwrap.wrap(text, _WIDTH)]
    lines = [f"Hyperparameter search, {trials['split'].iloc[0]} split{look.warning}", "", *said]
    if winner_trial(trials) is not None:
        lines += ["", *text_lines(parameter_table(trials), left=1)]
    for failure in failure_table(trials).to_dict("records"):
        reason = f"{failure['trials']} failed, such as {failure['example']}: {failure['reason']}"
        lines += ["", *textwrap.wrap(reason, _WIDTH, subsequent_indent="  ")]
    return "\n".join(lines)

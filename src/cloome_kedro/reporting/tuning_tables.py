"""A hyperparameter search as sentences, as tables of strings for HTML, and as text for the terminal.

The parameter ``trials`` of the functions is the table of this name.
"""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.reporting.cells import ABSENT, text_lines
from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.tuning_metric import SearchMetric

#: command that trains and evaluates the winner, and writes the report
TRAIN_WINNER = "kedro run --pipelines tune_and_train,reporting"
_WIDTH = 100  # characters in a line of the terminal
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def searched_parameters(trials: pd.DataFrame) -> list[str]:
    """List the searched parameters: the columns whose name contains a dot."""
    return [name for name in trials.columns if "." in name]


def short_name(parameter: str) -> str:
    """Shorten the name of a parameter for an axis.

    Examples
    --------
    >>> short_name("fit.learning_rate"), short_name("objective.name")
    ('learning_rate', 'objective.name')
    """
    return parameter.removeprefix("fit.")


def default_trial(trials: pd.DataFrame) -> dict | None:
    """Find the trial of the default configuration. None if there is no such trial.

    If it was repeated, the complete one is returned, or the last one if none is complete.
    """
    rows = trials[trials["source"] == "default"].sort_values("number")
    complete = rows[rows["state"] == "COMPLETE"]
    return _last_row(complete if len(complete) else rows)


def winner_trial(trials: pd.DataFrame) -> dict | None:
    """Find the best trial. None if no trial is complete yet."""
    return _last_row(trials[trials["best"]])


def _last_row(trials: pd.DataFrame) -> dict | None:
    rows = trials.tail(1).to_dict("records")
    return rows[0] if rows else None


def was_repeated(trials: pd.DataFrame) -> pd.Series:
    """Check which trials were killed or interrupted, and repeated by a later trial."""
    first = trials["retry_of"].fillna(trials["number"].astype("Int64"))
    return trials["number"] < trials.groupby(first)["number"].transform("max")


def search_text(trials: pd.DataFrame) -> str:
    """Describe the search: study, states of trials, dates, metric. There must be at least one trial."""
    first = trials.iloc[0]
    repeated = was_repeated(trials)
    states = trials.loc[~repeated, "state"].value_counts()
    counts = [f"{states[state]:,} {text}" for state, text in _STATES.items() if state in states]
    text = f"Study {first['study']}, model {first['tunes']}: {(~repeated).sum():,} trials ({', '.join(counts)})."
    if number := repeated.sum():
        text += (
            f" In addition, {number:,} killed or interrupted {'trial was' if number == 1 else 'trials were'} repeated."
        )
    started = trials["started"].dropna()
    if len(started):
        days = sorted({started.min()[:10], started.max()[:10]})
        text += f" The trials ran {'on' if len(days) == 1 else 'from'} {' to '.join(days)}"
        text += f", with {_duration(trials['seconds'].sum())} of training in total."
    metric = SearchMetric.named(first["metric"])
    return (
        f"{text} The search maximises validation {metric.label}, at the best epoch of a trial. The validation fold has"
        f" {first['n_validation']:,} compounds."
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def gain_text(trials: pd.DataFrame) -> str:
    """Compare the validation values of default and winner, and explain the limits of this comparison."""
    default, winner = default_trial(trials), winner_trial(trials)
    if winner is None:
        return "No trial is complete yet."
    metric = SearchMetric.named(winner["metric"])
    best = f"{metric.text(winner['value'])} (trial {winner['number']}, epoch {winner['epoch']}, counted from 0)"
    if default is None:
        comparison = f"Winner: {best}. The default configuration was not among the trials."
    elif default["number"] == winner["number"]:
        return f"No trial was better than the default configuration: {best}."
    elif default["state"] != "COMPLETE":
        comparison = f"Winner: {best}. The trial of the default configuration is {_STATES[default['state']]}."
    else:
        gain = metric.text(winner["value"] - default["value"], signed=True)
        comparison = f"Default: {metric.text(default['value'])}. Winner: {best}. Difference on validation: {gain}."
    complete = (trials["state"] == "COMPLETE").sum()
    return (
        f"{comparison} The best value of {complete:,} trials on one validation fold is optimistic. A part of it is"
        " luck, which another fold would not repeat. No trial used the test fold."
    )


def parameter_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the searched parameters of default and winner, and the values in all trials. All cells are text."""
    sides = {"default": default_trial(trials), "winner": winner_trial(trials)}
    table = [
        {"parameter": name}
        | {side: ABSENT if trial is None else value_text(trial[name]) for side, trial in sides.items()}
        | {"all trials": _range(trials[name].dropna())}
        for name in searched_parameters(trials)
    ]
    return pd.DataFrame(table, columns=["parameter", *sides, "all trials"])


def _range(values: pd.Series) -> str:
    """Format the range of many different numbers as ``low – high``. Otherwise list the values."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    has_range = len(distinct) > 4 or 2 < len(distinct) == len(values)
    if has_range and not any(isinstance(value, str) for value in distinct):
        return f"{value_text(distinct[0])} – {value_text(distinct[-1])}"
    return ", ".join(map(value_text, distinct)) or ABSENT


def value_text(value: Any) -> str:
    """Format the value of a parameter as in YAML, with three significant digits.

    Parameters
    ----------
    value
        Text, number or boolean. A missing value means that the trial does not have the parameter. It becomes ``–``.

    Examples
    --------
    >>> value_text(0.0043217), value_text(256.0), value_text(True)
    ('0.00432', '256', 'true')
    """
    if pd.isna(value):
        return ABSENT
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else str(value).lower()
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.3g}"


def failure_table(trials: pd.DataFrame, max_reasons: int = 10) -> pd.DataFrame:
    """Count failed trials by reason, with one example per reason. Trials that were repeated do not count.

    The table has at most ``max_reasons`` rows. Rarer reasons are left out.
    """
    failed = trials[(trials["state"] == "FAIL") & ~was_repeated(trials)].fillna({"reason": "not known"})
    counted = failed.groupby("reason").agg(trials=("number", "size"), example=("number", "first")).reset_index()
    counted = counted.sort_values("trials", ascending=False, kind="stable").head(max_reasons)
    example = "trial " + counted["example"].astype(str)
    return counted.assign(example=example).astype({"trials": str})[["trials", "reason", "example"]]


def search_summary(trials: pd.DataFrame, look: Look) -> str:
    """Describe the search for the terminal: states, gain, parameters of default and winner, failures.

    ``look`` gives the note about the data. The text is empty if there are no trials.
    """
    if trials.empty:
        return ""
    sentences = [line for text in (search_text(trials), gain_text(trials)) for line in textwrap.wrap(text, _WIDTH)]
    lines = [f"Hyperparameter search, {trials['split'].iloc[0]} split{look.warning}", "", *sentences]
    if winner_trial(trials) is not None:
        lines += ["", *text_lines(parameter_table(trials), left=1)]
    for failure in failure_table(trials).to_dict("records"):
        failures = f"{failure['trials']} failed, such as {failure['example']}: {failure['reason']}"
        lines += ["", *textwrap.wrap(failures, _WIDTH, subsequent_indent="  ")]
    return "\n".join(lines)

"""Tables of the results of a study."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from optuna import Study
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from cloome_kedro.tuning.store import failure_reason

_MIN_TRIALS = 4  # complete trials that importances need

_TYPES = {
    "number": "int64",
    "state": "str",
    "source": "string",
    "value": "float64",
    "epoch": "Int64",
    "epochs": "Int64",
    "seconds": "float64",
    "started": "string",
    "worker": "string",
    "device": "string",
    "retry_of": "Int64",
    "reason": "string",
    "best": "bool",
}


def winner(study: Study) -> FrozenTrial:
    """Find the complete trial with the highest value; if values are equal, the one with the lowest number.

    Raises
    ------
    ValueError
        If no trial is complete.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise ValueError(f"study {study.study_name!r} has no complete trial")
    return max(complete, key=lambda trial: (trial.value, -trial.number))


def trials_table(study: Study) -> pd.DataFrame:
    """Make a table with one row per trial.

    Returns
    -------
    pandas.DataFrame
        number; state; source; value (last reported value if the trial was pruned); epoch (best epoch, from 0); epochs
        (number of reported epochs); seconds; started (ISO 8601); worker (host:process); device; retry_of (number of the
        first killed trial that this trial repeats); reason (of a failure); best (whether it is the winner). Then one
        column per searched parameter, under its dotted name. It is missing in trials that do not search the parameter.
        A parameter with values of several types is stored as text.
    """
    trials = study.get_trials(deepcopy=False)
    best = winner(study).number if any(t.state == TrialState.COMPLETE for t in trials) else None
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "source": trial.user_attrs.get("source"),
            "value": trial.value if trial.state.is_finished() else None,
            "epoch": trial.user_attrs.get("epoch"),
            "epochs": len(trial.intermediate_values),
            "seconds": trial.user_attrs.get("seconds"),
            "started": trial.datetime_start and trial.datetime_start.isoformat(timespec="seconds"),
            "worker": trial.user_attrs.get("worker"),
            "device": trial.user_attrs.get("device"),
            "retry_of": trial.system_attrs.get("failed_trial"),
            "reason": failure_reason(trial) if trial.state == TrialState.FAIL else None,
            "best": trial.number == best,
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)
    points = [{**trial.system_attrs.get("fixed_params", {}), **trial.params} for trial in trials]
    for name in dict.fromkeys(name for point in points for name in point):
        table[name] = _column([point.get(name, pd.NA) for point in points])
    return table


def _column(values: Sequence[Any]) -> pd.Series:
    kinds = {type(value) for value in values if value is not pd.NA}
    for numeric, dtype in (({bool}, "boolean"), ({int}, "Int64"), ({int, float}, "Float64")):
        if kinds <= numeric:
            return pd.Series(values, dtype=dtype)
    text = [v if v is pd.NA or isinstance(v, str) else json.dumps(v) for v in values]
    return pd.Series(text, dtype="string")


def epochs_table(study: Study) -> pd.DataFrame:
    """Make a table of the values that trials reported: columns trial (number), epoch (from 0) and value."""
    rows = [
        (trial.number, epoch, value)
        for trial in study.get_trials(deepcopy=False)
        for epoch, value in sorted(trial.intermediate_values.items())
    ]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "value"])
    return table.astype({"trial": "int64", "epoch": "int64", "value": "float64"})


def importances(study: Study, seed: int) -> pd.DataFrame:
    """Compute the importance of each parameter by fANOVA (Hutter et al. 2014).

    The importance is the share of the variance of trial values that the parameter explains alone. For a parameter with
    a condition, only trials that fulfil the condition are used. Its share therefore refers to another variance than the
    shares of other parameters.

    Returns
    -------
    pandas.DataFrame
        parameter, importance (from 0 to 1, highest first) and trials (number of complete trials used). It is empty if
        fewer than four trials are complete or all values are equal.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    shared = [name for name in _names(complete) if all(name in trial.params for trial in complete)]
    rows = [(name, share, len(complete)) for name, share in _shares(study, complete, shared, seed).items()]
    for name in _names(complete):
        if name not in shared:
            searching = [trial for trial in complete if name in trial.params]
            share = _shares(study, searching, [*shared, name], seed).get(name)
            if share is not None:
                rows.append((name, share, len(searching)))
    table = pd.DataFrame(rows, columns=["parameter", "importance", "trials"])
    table = table.astype({"parameter": "str", "importance": "float64", "trials": "int64"})
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _names(trials: Sequence[FrozenTrial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _shares(study: Study, trials: Sequence[FrozenTrial], names: list[str], seed: int) -> dict[str, float]:
    values = [trial.value for trial in trials if trial.value is not None]
    if len(values) < _MIN_TRIALS or np.ptp(values) == 0:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed), params=names)
    return {name: share for name, share in shares.items() if math.isfinite(share)}

"""What a study has found, as tables."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from optuna import Study
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

_LEAST = 4  # complete trials, below which no importance is told

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
    """The complete trial with the highest value, of equals the one with the lowest number.

    Raises
    ------
    ValueError
        Where no trial is complete.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise ValueError(f"study {study.study_name!r} has no complete trial")
    return max(complete, key=lambda trial: (trial.value, -trial.number))


def trials_table(study: Study) -> pd.DataFrame:
    """One row a trial.

    Returns
    -------
    pandas.DataFrame
        number; state; source; value (of a pruned trial its last report); epoch (the best, from 0); epochs (reported);
        seconds; started (ISO 8601); worker (host:process); device; retry_of (number of the first of the trials with
        this point that were killed); reason (of a failure); best (whether it is the winner); then one column a searched
        parameter, under its dotted name, missing where the parameter is not searched. A parameter with values of
        several types is text.
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
            "reason": trial.user_attrs.get("reason", "its process was killed")
            if trial.state == TrialState.FAIL
            else None,
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
    for types, dtype in (({bool}, "boolean"), ({int}, "Int64"), ({int, float}, "Float64")):
        if kinds <= types:
            return pd.Series(values, dtype=dtype)
    text = [v if v is pd.NA or isinstance(v, str) else json.dumps(v) for v in values]
    return pd.Series(text, dtype="string")


def epochs_table(study: Study) -> pd.DataFrame:
    """Columns trial (number), epoch (from 0) and value: what each trial reported."""
    rows = [
        (trial.number, epoch, value)
        for trial in study.get_trials(deepcopy=False)
        for epoch, value in sorted(trial.intermediate_values.items())
    ]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "value"])
    return table.astype({"trial": "int64", "epoch": "int64", "value": "float64"})


def importances(study: Study, seed: int) -> pd.DataFrame:
    """Share of the variance of the values that each parameter explains alone, by fANOVA (Hutter et al., 2014).

    A parameter that is searched under a condition is judged among the trials that fulfil it, so its share is not one of
    the same whole.

    Returns
    -------
    pandas.DataFrame
        parameter, importance (between 0 and 1, highest first) and trials (complete ones that it was found from). Empty
        where fewer than four trials are complete, or all values are equal.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    shared = [name for name in _names(complete) if all(name in trial.params for trial in complete)]
    rows = [(name, share, len(complete)) for name, share in _shares(study, complete, shared, seed).items()]
    for name in _names(complete):
        if name not in shared:
            having = [trial for trial in complete if name in trial.params]
            share = _shares(study, having, [*shared, name], seed).get(name)
            if share is not None:
                rows.append((name, share, len(having)))
    table = pd.DataFrame(rows, columns=["parameter", "importance", "trials"])
    table = table.astype({"parameter": "str", "importance": "float64", "trials": "int64"})
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _names(trials: Sequence[FrozenTrial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _shares(study: Study, trials: Sequence[FrozenTrial], names: list[str], seed: int) -> dict[str, float]:
    values = [trial.value for trial in trials if trial.value is not None]
    if len(values) < _LEAST or np.ptp(values) == 0:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed), params=names)
    return {name: share for name, share in shares.items() if math.isfinite(share)}

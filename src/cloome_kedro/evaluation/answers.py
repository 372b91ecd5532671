"""How sure the answers of all methods are: candidate sets, accuracy of confident answers, calibrated probabilities."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.candidate_sets import candidate_sets
from cloome_kedro.evaluation.methods import Methods, methods_of_task
from cloome_kedro.evaluation.scored_queries import (
    ScoredQueries,
    no_queries,
    plan_queries,
    retrieval_queries,
    zero_shot_queries,
)
from cloome_kedro.evaluation.softmax import (
    answered_accuracy,
    calibration_error,
    confidences,
    error_of_calibrated,
    fit_temperature,
)
from cloome_kedro.evaluation.zero_shot_plan import Plan
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of
from cloome_kedro.words import RETRIEVAL

#: columns that say what an answer is, besides the split
ANSWER = ("task", "method", "direction", "shown_by", "excluded")


@dataclass(frozen=True)
class AnswerSettings:
    """Settings of the measurement.

    Attributes
    ----------
    levels
        Wanted coverages of candidate sets.
    confidence
        Confidence level of intervals.
    steps
        Number of shares of the queries, from 1 / steps to 1, at which accuracy is measured.
    bins
        Number of bins of calibration errors.
    top_k
        Values of k for which accuracy is measured.
    seed
        Seed of drawn fields and of random ties.
    """

    levels: Sequence[float] = (0.8, 0.9, 0.95)
    confidence: float = 0.95
    steps: int = 20
    bins: int = 10
    top_k: Sequence[int] = (1, 5, 10)
    seed: int = 0


class Answer(NamedTuple):
    """One way to ask a method.

    Attributes
    ----------
    setting
        Values of the columns :data:`ANSWER`.
    calibration
        Queries of the validation fold.
    tested
        Queries of the test fold.
    inverse_temperature
        By which the model multiplied its scores in training; 1 if it is not known.
    """

    setting: dict[str, str | None]
    calibration: ScoredQueries
    tested: ScoredQueries
    inverse_temperature: float


def retrieval_answers(methods: Methods, folds: Mapping[str, pd.DataFrame], seed: int) -> Iterator[Answer]:
    """Answers of retrieval: every method in both directions, with one field per compound and with the mean of fields.

    Parameters
    ----------
    methods
        Methods to ask. Those without retrieval are left out.
    folds
        ``validation`` and ``test`` -> fields of the fold, sorted by compound and field. They can be empty, for example
        if the test fold may not be read.
    seed
        Seed of the drawn fields.
    """
    for name, method in methods_of_task(methods, RETRIEVAL).items():
        scale = float(method.fields.meta.get("inverse_temperature", 1.0))
        for shown_by in ("field", "mean"):
            found = {fold: retrieval_queries(method, fields, shown_by, seed) for fold, fields in folds.items()}
            for direction in dict.fromkeys(direction for queries in found.values() for direction in queries):
                calibration = found["validation"].get(direction) or no_queries()
                tested = found["test"].get(direction) or no_queries()
                setting = {"task": RETRIEVAL, "method": name, "direction": direction, "shown_by": shown_by}
                yield Answer({**setting, "excluded": None}, calibration, tested, scale)


def zero_shot_answers(
    methods: Methods,
    folds: Mapping[str, pd.DataFrame],
    protocols: Mapping[str, Sequence[Protocol]],
    seed: int,
) -> Iterator[Answer]:
    """Answers of zero-shot classification, with the strictest protocol that has queries in all folds.

    Parameters
    ----------
    methods, folds, seed
        As in :func:`retrieval_answers`.
    protocols
        Task -> protocols of this task. Of those in which a field is a reference, the strictest is used; also of those
        in which a mean is.
    """
    for task, of_task in protocols.items():
        classes = {fold: classes_of(fields)[task] for fold, fields in folds.items()}
        for shown_by in dict.fromkeys(protocol.shown_by for protocol in of_task):
            chosen = _strictest([each for each in of_task if each.shown_by == shown_by], classes, seed)
            if chosen is None:
                continue
            protocol, plans = chosen
            for name, method in methods_of_task(methods, task).items():
                found = {}
                for fold, fields in classes.items():
                    known = method.fields.knows(fields["field_id"])
                    plan = plans[fold] if known.all() else plan_queries(fields[known], protocol, seed)
                    found[fold] = zero_shot_queries(method, fields[known], plan, seed)
                setting = {"task": task, "method": name, **protocol.setting}
                setting = {column: setting[column] for column in ANSWER}
                # In training, scores of images and compounds are multiplied, not those of two images.
                yield Answer(setting, found["validation"], found["test"], 1.0)


def _strictest(
    protocols: Sequence[Protocol], classes: Mapping[str, pd.DataFrame], seed: int
) -> tuple[Protocol, dict[str, Plan | None]] | None:
    """Strictest protocol that has queries in all folds, or else in one of them. None if there are none."""
    possible = []
    for protocol in sorted(protocols, key=_strictness, reverse=True):
        plans = {fold: plan_queries(fields, protocol, seed) for fold, fields in classes.items()}
        folds = sum(plan is not None for plan in plans.values())
        if folds == len(classes):
            return protocol, plans
        if folds:
            possible.append((protocol, plans))
    return possible[0] if possible else None


def _strictness(protocol: Protocol) -> tuple[bool, ...]:
    """Key that sorts protocols: to exclude a plate also excludes its wells."""
    return tuple(key in protocol.excluded for key in ("compound", "plate", "well"))


def measure_answers(
    answers: Iterator[Answer], settings: AnswerSettings
) -> tuple[list[pd.DataFrame], list[pd.DataFrame], list[dict]]:
    """Measure all answers that choose among candidates. A single candidate is always right, which says nothing.

    Returns
    -------
    candidate_sets, answered : list of pandas.DataFrame
        Rows of these tables, without the columns ``split`` and ``split_hash``.
    calibration : list of dict
        Rows of the table ``calibration``, without these columns.
    """
    sets, answered, calibration = [], [], []
    shares = [step / settings.steps for step in range(1, settings.steps + 1)]
    for answer in answers:
        fitted = fit_temperature(answer.calibration)
        table = candidate_sets(answer.calibration, answer.tested, settings.levels, fitted, settings.confidence)
        sets.append(table.assign(**answer.setting))
        if not (answer.tested.candidates > 1).any():
            continue
        by_temperature = {False: 1 / answer.inverse_temperature, True: fitted}
        for calibrated, temperature in by_temperature.items():
            if np.isnan(temperature):
                continue
            probabilities, correct = confidences(answer.tested, temperature), answer.tested.ranks == 1
            calibration.append(
                {
                    **answer.setting,
                    "calibrated": calibrated,
                    "temperature": temperature,
                    "error": calibration_error(probabilities, correct, settings.bins),
                    "error_of_calibrated": error_of_calibrated(probabilities, settings.bins, seed=settings.seed),
                    "brier": float(np.mean((probabilities - correct) ** 2)),
                    "n": len(correct),
                    "calibration": len(answer.calibration),
                    "compounds": len(correct),
                }
            )
        # The order of the queries does not change much with the temperature, so any temperature orders them.
        order = confidences(answer.tested, by_temperature[False] if np.isnan(fitted) else fitted)
        for k in settings.top_k:
            rows = answered_accuracy(order, answer.tested.ranks <= k, shares, settings.confidence)
            answered.append(rows.assign(k=k, **answer.setting))
    return sets, answered, calibration

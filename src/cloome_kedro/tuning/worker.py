"""A worker: takes one waiting trial after the other, shows that it lives, and writes down how each ended."""

import copy
import gc
import logging
import math
import multiprocessing
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna import Study
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from cloome_kedro.signals import ignored
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.devices import device_name
from cloome_kedro.tuning.queue import First, claim
from cloome_kedro.tuning.samplers import make_pruner, make_sampler
from cloome_kedro.tuning.space import Point, Space
from cloome_kedro.tuning.store import StudyStore, quiet

logger = logging.getLogger(__name__)

_TRACEBACK = "Traceback (most recent call last):"

#: (epoch, value) -> whether the trial is to end there
Report = Callable[[int, float], bool]


class Outcome(NamedTuple):
    """How a trial went: its best value, whether it was ended early, and what else is to be kept of it."""

    value: float
    pruned: bool
    attributes: dict[str, str | int | float]


#: (point, folder for the trial's state, report) -> outcome
Objective = Callable[[Point, Path, Report], Outcome]


@dataclass(frozen=True)
class Question:
    """What is searched for.

    Attributes
    ----------
    space
        Parameters, and what they may be.
    first
        Points that are tried first, the default configuration before all, and where each is from.
    objective
        Picklable. Where it raises, the trial fails and the study goes on.
    identity
        All that the values depend on beside the point: trials with another identity are not comparable.
    """

    space: Space
    first: First
    objective: Objective
    identity: dict[str, str]


@dataclass(frozen=True)
class Search:
    """A question, where its trials are kept, and how it is searched; picklable, for worker processes.

    Attributes
    ----------
    store, name
        Where studies are kept, and the study's name there.
    question, config
        What is searched for, and how.
    """

    store: StudyStore
    name: str
    question: Question
    config: SearchConfig

    @quiet()
    def open(self) -> Study:
        """Load the study. Its sampler and pruner are not kept in the database, so each process makes its own."""
        storage = self.store.storage(self.config.heartbeat_seconds)
        sampler, pruner = make_sampler(self.config), make_pruner(self.config)
        return optuna.load_study(study_name=self.name, storage=storage, sampler=sampler, pruner=pruner)


@dataclass
class TrialReport:
    """The ``Report`` of one trial. A process that it is sent to opens the study anew.

    A trial that goes on where it broke off reports its earlier epochs again: each is judged as if it were the last. The
    default configuration is never ended early, since others are compared with its value.
    """

    search: Search
    trial: int
    opened: Study | None = field(default=None, repr=False)

    def __call__(self, epoch: int, value: float) -> bool:
        if self.opened is None:
            self.opened = self.search.open()
        storage = self.opened._storage
        storage.set_trial_intermediate_value(self.trial, epoch, float(value))
        trial = copy.copy(storage.get_trial(self.trial))
        if trial.user_attrs.get("source") == "default":
            return False
        trial.intermediate_values = {at: v for at, v in trial.intermediate_values.items() if at <= epoch}
        return bool(self.opened.pruner.prune(self.opened, trial))  # of NumPy where it is the median

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "opened": None}


def work(search: Search, study: Study, progress: Callable[[], None] = lambda: None) -> None:
    """Run trials until none waits and none runs anywhere: the process of a running trial may still be killed."""
    storage, parent = study._storage, multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        with quiet():
            optuna.storages.fail_stale_trials(study)
        progress()
        trial = claim(study, storage)
        if trial is not None:
            run_trial(search, study, trial)
        elif study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING)):
            time.sleep(min(2.0, search.config.heartbeat_seconds / 2))
        else:
            return


def run_trial(search: Search, study: Study, trial: Trial) -> None:
    """Run a claimed trial.

    One that raises is FAIL, with the user attribute ``reason``. One that is interrupted goes back to the queue as it
    is, and the interruption goes on.
    """
    storage, started = study._storage, time.monotonic()
    state, value, attributes, folder = TrialState.FAIL, None, {}, None
    try:
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        trial.set_user_attr("device", device_name())
        with _heartbeat(storage, trial._trial_id, search.config.heartbeat_seconds):
            point = search.question.space.suggest(trial)
            original = storage.get_trial(trial._trial_id).system_attrs.get("failed_trial", trial.number)
            folder = search.store.trial_folder(search.name, original, point)
            folder.mkdir(parents=True, exist_ok=True)
            outcome = search.question.objective(point, folder, TrialReport(search, trial._trial_id, study))
        if not math.isfinite(outcome.value):
            raise ValueError(f"the value is {outcome.value}")
        attributes = dict(outcome.attributes)
        state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
        value = None if outcome.pruned else float(outcome.value)
    except Exception as error:
        attributes = {"reason": _reason(error)}
        if not isinstance(error, UpdateFinishedTrialError):
            logger.warning("trial %d failed: %s", trial.number, attributes["reason"])
            logger.debug("where trial %d failed", trial.number, exc_info=error)
    except BaseException:
        with ignored(), suppress(UpdateFinishedTrialError):
            storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        raise
    try:
        for name, attribute in {"seconds": round(time.monotonic() - started, 3), **attributes}.items():
            trial.set_user_attr(name, attribute)
        study.tell(trial, value, state)
    except (UpdateFinishedTrialError, ValueError) as error:
        if storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
            raise
        logger.warning("trial %d had shown no sign of life, and was given to another: %s", trial.number, error)
        return
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if state == TrialState.FAIL:
        gc.collect()  # a failed model's memory, which the next trial needs, may hang in cycles


def _reason(error: Exception) -> str:
    """Type and first line of an error; of an error in another process, which comes as a traceback, those in there."""
    lines = f"{type(error).__name__}: {str(error).strip()}".splitlines()
    if _TRACEBACK in lines:
        last = len(lines) - lines[::-1].index(_TRACEBACK)
        lines = [line for line in lines[last:] if not line.startswith(" ")] or lines
    return lines[0][:500]


@contextmanager
def _heartbeat(storage: BaseStorage, trial: int, seconds: float) -> Iterator[None]:
    """Show that the trial's process lives. Optuna's thread, unlike this, ends at the first error of the database."""
    end = threading.Event()

    def beat() -> None:
        while not end.wait(seconds):
            try:
                storage.record_heartbeat(trial)  # type: ignore[attr-defined]
            except Exception as error:
                logger.warning("no heartbeat of trial %d: %s", trial, error)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()

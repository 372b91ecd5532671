"""A worker: runs one waiting trial after the other, records heartbeats, and writes down how each trial ended."""

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
from cloome_kedro.tuning.queue import WORKER, SourcedPoints, claim, put_back
from cloome_kedro.tuning.samplers import make_pruner, make_sampler
from cloome_kedro.tuning.space import Point, Space
from cloome_kedro.tuning.store import StudyStore, quiet

logger = logging.getLogger(__name__)

_TRACEBACK = "Traceback (most recent call last):"

#: (epoch, value) -> whether the trial ends after this epoch
Report = Callable[[int, float], bool]


class Outcome(NamedTuple):
    """Result of a trial: its best value, whether it was pruned, and further user attributes of the trial."""

    value: float
    pruned: bool
    attributes: dict[str, str | int | float]


#: (point, folder for the state of the trial, report) -> outcome
Objective = Callable[[Point, Path, Report], Outcome]


@dataclass(frozen=True)
class Question:
    """What is searched.

    Attributes
    ----------
    space
        Parameters and their allowed values.
    first
        Points that are tried first, with their sources. The default configuration comes before all others.
    objective
        Picklable. If it raises an exception, the trial fails and the study continues.
    identity
        Everything that the values depend on, except the point. Trials with different identities are not comparable.
    """

    space: Space
    first: SourcedPoints
    objective: Objective
    identity: dict[str, str]


@dataclass(frozen=True)
class Search:
    """A study to search. It can be pickled for worker processes.

    Attributes
    ----------
    store, name
        Where studies are stored, and the name of this study there.
    question, config
        What is searched, and how.
    """

    store: StudyStore
    name: str
    question: Question
    config: SearchConfig

    @quiet()
    def open(self) -> Study:
        """Load the study with a new sampler and pruner, since the database does not store them."""
        storage = self.store.storage(self.config.heartbeat_seconds)
        sampler, pruner = make_sampler(self.config), make_pruner(self.config)
        return optuna.load_study(study_name=self.name, storage=storage, sampler=sampler, pruner=pruner)


@dataclass
class TrialReport:
    """The ``Report`` of one trial. If it is sent to another process, it opens the study again there.

    A trial that continues after an interruption reports its earlier epochs again. Each of them is judged as if it were
    the last one. The default configuration is never pruned, since other trials are compared with its value.
    """

    search: Search
    trial: int
    study: Study | None = field(default=None, repr=False)

    def __call__(self, epoch: int, value: float) -> bool:
        if self.study is None:
            self.study = self.search.open()
        storage = self.study._storage
        storage.set_trial_intermediate_value(self.trial, epoch, float(value))
        trial = copy.copy(storage.get_trial(self.trial))
        if trial.user_attrs.get("source") == "default":
            return False
        trial.intermediate_values = {e: v for e, v in trial.intermediate_values.items() if e <= epoch}
        return bool(self.study.pruner.prune(self.study, trial))  # the median pruner returns a NumPy boolean

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "study": None}


def work(search: Search, study: Study, progress: Callable[[], None] = lambda: None) -> None:
    """Run trials until none is waiting or running, since the process of a running trial may still be killed."""
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

    If it raises an exception, its state is FAIL, with the user attribute ``reason``. If it is interrupted, it goes back
    to the queue unchanged, and the interruption is raised again.
    """
    storage, started = study._storage, time.monotonic()
    state, value, attributes, folder = TrialState.FAIL, None, {}, None
    try:
        trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
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
            logger.debug("traceback of trial %d", trial.number, exc_info=error)
    except BaseException:
        with ignored(), suppress(UpdateFinishedTrialError):
            put_back(storage, trial._trial_id)
        raise
    try:
        for name, attribute in {"seconds": round(time.monotonic() - started, 3), **attributes}.items():
            trial.set_user_attr(name, attribute)
        study.tell(trial, value, state)
    except (UpdateFinishedTrialError, ValueError) as error:
        if storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
            raise
        logger.warning("trial %d had no heartbeat and was given to another worker: %s", trial.number, error)
        return
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if state == TrialState.FAIL:
        gc.collect()  # reference cycles may keep the memory of the failed model, which the next trial needs


def _reason(error: Exception) -> str:
    """Type and first line of an error. An error of another process is a traceback that holds them."""
    lines = f"{type(error).__name__}: {str(error).strip()}".splitlines()
    if _TRACEBACK in lines:
        last = len(lines) - lines[::-1].index(_TRACEBACK)
        lines = [line for line in lines[last:] if not line.startswith(" ")] or lines
    return lines[0][:500]


@contextmanager
def _heartbeat(storage: BaseStorage, trial: int, seconds: float) -> Iterator[None]:
    """Record heartbeats of a trial. Unlike Optuna's thread, this one continues after an error of the database."""
    end = threading.Event()

    def beat() -> None:
        while not end.wait(seconds):
            try:
                storage.record_heartbeat(trial)  # type: ignore[attr-defined]
            except Exception as error:
                logger.warning("the heartbeat of trial %d could not be recorded: %s", trial, error)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()

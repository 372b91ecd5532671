"""The queue of a study: every trial is enqueued before it runs, so a study has exactly as many as were asked for."""

import json
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from optuna import Study
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState
from tqdm import tqdm

from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.samplers import PLACE
from cloome_kedro.tuning.space import Point, Space
from cloome_kedro.tuning.store import quiet

logger = logging.getLogger(__name__)

#: (where it is from: ``default``, ``published``, ..., point)
First = Sequence[tuple[str, Point]]

_BEAT = 1.0  # seconds between signs of life of a lock's holder
_PATIENCE = 20.0  # seconds without one after which a lock is taken over


class _LockLost(Exception):
    pass


class _Lock:
    """A study beside the study: its name can be made once in the database, whoever asks, on whichever machine."""

    def __init__(self, storage: BaseStorage, study: str, patience: float):
        self._storage, self._name, self._patience = storage, f"{study}.lock", patience
        self._token, self._beaten = uuid.uuid4().hex, 0.0

    def acquire(self) -> None:
        sign, since = None, time.monotonic()
        while True:
            try:
                self._id = self._storage.create_new_study([StudyDirection.MAXIMIZE], self._name)
                self._beat()
                return
            except KeyError:  # taken for that of a killed process, which another has just removed
                continue
            except DuplicatedStudyError:
                pass
            try:
                other = self._storage.get_study_id_from_name(self._name)
                seen = (other, self._storage.get_study_user_attrs(other))
                if seen != sign:
                    sign, since = seen, time.monotonic()
                elif time.monotonic() - since > self._patience:  # its holder was killed
                    logger.warning("taking over the lock %s, left behind by a killed process", self._name)
                    self._storage.delete_study(other)
                    continue
            except KeyError:  # released meanwhile
                continue
            time.sleep(0.1)

    def keep(self) -> None:
        """Show a sign of life.

        Raises
        ------
        _LockLost
            Where another process has taken the lock over.
        """
        try:
            if self._storage.get_study_user_attrs(self._id).get("holder", [None])[0] != self._token:
                raise _LockLost
            if time.monotonic() - self._beaten > _BEAT:
                self._beat()
        except KeyError:
            raise _LockLost from None

    def release(self) -> None:
        try:
            self.keep()
            self._storage.delete_study(self._id)
        except (KeyError, _LockLost):
            pass

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        self._storage.set_study_user_attr(self._id, "holder", [self._token, self._beaten])


@contextmanager
def _locked(storage: BaseStorage, study: str, patience: float) -> Iterator[_Lock]:
    lock = _Lock(storage, study, patience)
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


@quiet()
def fill(
    study: Study,
    storage: BaseStorage,
    space: Space,
    first: First,
    config: SearchConfig,
    patience: float = _PATIENCE,
) -> None:
    """Enqueue what the study is short of: the ``first`` points, then the rest of the grid or trials to be drawn.

    A point that a trial has, or had, is not enqueued again, so this may be called as often as one likes, by several
    processes at once. Without a grid the study then has ``config.trials`` trials (copies of killed ones do not count),
    or as many as ``first`` has points, where those are more.

    Parameters
    ----------
    first : sequence of (str, Point)
        The user attribute ``source`` of the trial, and its point.
    patience : float
        Seconds without a sign of life of another process that enqueues, after which it counts as killed.

    Raises
    ------
    ValueError
        Where the space does not contain one of ``first``, or has no grid.
    """
    fixed = [(source, space.check(point)) for source, point in first]
    if config.sampler == "grid":
        fixed += [("grid", point) for point in space.grid()]
    while True:
        try:
            with _locked(storage, study.study_name, patience) as lock:
                _enqueue(study, fixed, config, lock)
            return
        except _LockLost:
            logger.warning("the lock of %s was taken over: once more", study.study_name)


def _enqueue(study: Study, fixed: First, config: SearchConfig, lock: _Lock) -> None:
    trials = study.get_trials(deepcopy=False)
    places = sum("failed_trial" not in trial.system_attrs for trial in trials)
    known = {_key(trial.system_attrs.get("fixed_params") or trial.params) for trial in trials}
    missing: dict[str, tuple[str, Point]] = {}
    for source, point in fixed:
        if (key := _key(point)) not in known:
            missing.setdefault(key, (source, point))
    rows = list(missing.values())
    if config.sampler != "grid":
        assert config.trials is not None
        rows += [(config.sampler, {})] * (config.trials - places - len(rows))
    for place, (source, point) in enumerate(tqdm(rows, desc="enqueueing trials", delay=2), places):
        lock.keep()
        study.enqueue_trial(point, {"source": source, PLACE: place})


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def claim(study: Study, storage: BaseStorage) -> Trial | None:
    """Take the waiting trial with the lowest number; none if none waits."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        # First the heartbeat: a trial that runs without one would never be given up, if this process were killed now.
        storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
        try:
            if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                return Trial(study, trial._trial_id)
        except UpdateFinishedTrialError:
            pass
    return None

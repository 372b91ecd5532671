"""The queue of a study: every trial is enqueued before it runs, so a study has exactly the configured number."""

import json
import logging
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from optuna import Study
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState
from tqdm import tqdm

from cloome_kedro.atomic import is_running
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.samplers import PLACE
from cloome_kedro.tuning.space import Point, Space
from cloome_kedro.tuning.store import KILLS, RETRIES, killed_so_far, quiet

logger = logging.getLogger(__name__)

#: user attribute: host and number of the process that runs a trial; None if the trial waits again
WORKER = "worker"

#: (source, such as ``default`` or ``published``, point)
SourcedPoints = Sequence[tuple[str, Point]]

_BEAT_SECONDS = 1.0  # between heartbeats of the process that holds a lock
_PATIENCE = 20.0  # seconds without a heartbeat after which a lock is taken over


class _LockLost(Exception):
    pass


class _Lock:
    """Lock of a study: a second study in the database, whose name only one process on any machine can create."""

    def __init__(self, storage: BaseStorage, study: str, patience: float):
        self._storage, self._name, self._patience = storage, f"{study}.lock", patience
        self._token, self._last_beat = uuid.uuid4().hex, 0.0

    def acquire(self) -> None:
        """Wait until no other process holds the lock, then take it."""
        last_state, unchanged_since = None, time.monotonic()
        while True:
            try:
                self._id = self._storage.create_new_study([StudyDirection.MAXIMIZE], self._name)
                self._beat()
                return
            except KeyError:  # another process mistook the new lock for that of a killed process, and deleted it
                continue
            except DuplicatedStudyError:
                pass
            try:
                lock_id = self._storage.get_study_id_from_name(self._name)
                state = (lock_id, self._storage.get_study_user_attrs(lock_id))
                if state != last_state:
                    last_state, unchanged_since = state, time.monotonic()
                elif time.monotonic() - unchanged_since > self._patience:  # the process that held it was killed
                    logger.warning("taking over the lock %s of a killed process", self._name)
                    self._storage.delete_study(lock_id)
                    continue
            except KeyError:  # it was released in the meantime
                continue
            time.sleep(0.1)

    def keep(self) -> None:
        """Record a heartbeat.

        Raises
        ------
        _LockLost
            If another process has taken over the lock.
        """
        try:
            if self._storage.get_study_user_attrs(self._id).get("holder", [None])[0] != self._token:
                raise _LockLost
            if time.monotonic() - self._last_beat > _BEAT_SECONDS:
                self._beat()
        except KeyError:
            raise _LockLost from None

    def release(self) -> None:
        """Delete the lock if this process still holds it."""
        try:
            self.keep()
            self._storage.delete_study(self._id)
        except (KeyError, _LockLost):
            pass

    def _beat(self) -> None:
        self._last_beat = time.monotonic()
        self._storage.set_study_user_attr(self._id, "holder", [self._token, self._last_beat])


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
    first: SourcedPoints,
    config: SearchConfig,
    patience: float = _PATIENCE,
) -> None:
    """Enqueue missing trials: the ``first`` points, then the points of the grid or trials that the sampler will draw.

    A point is not enqueued again if the study has a trial of it. So this function may be called repeatedly, also by
    several processes at the same time. A study without a grid then has ``config.trials`` trials. If there are more
    ``first`` points than that, it has one trial per point. Copies of killed trials do not count.

    Parameters
    ----------
    first : sequence of (str, Point)
        Source and point of each trial that is tried first. The source becomes the user attribute ``source``.
    patience : float
        If another process that enqueues has no heartbeat for this number of seconds, it is treated as killed.

    Raises
    ------
    ValueError
        If the space does not contain a point of ``first``, or has no grid.
    """
    points = [(source, space.check(point)) for source, point in first]
    if config.sampler == "grid":
        points += [("grid", point) for point in space.grid()]
    while True:
        try:
            with _locked(storage, study.study_name, patience) as lock:
                _enqueue(study, points, config, lock)
            return
        except _LockLost:
            logger.warning("another process took over the lock of study %s: enqueueing again", study.study_name)


def _enqueue(study: Study, points: SourcedPoints, config: SearchConfig, lock: _Lock) -> None:
    trials = study.get_trials(deepcopy=False)
    enqueued = sum("failed_trial" not in trial.system_attrs for trial in trials)
    known = {_key(trial.system_attrs.get("fixed_params") or trial.params) for trial in trials}
    missing: dict[str, tuple[str, Point]] = {}
    for source, point in points:
        if (key := _key(point)) not in known:
            missing.setdefault(key, (source, point))
    new = list(missing.values())
    if config.sampler != "grid":
        assert config.trials is not None
        new += [(config.sampler, {})] * (config.trials - enqueued - len(new))
    # A place is never used twice, since the sampler would repeat its draws.
    places = (t.user_attrs.get(PLACE, t.number) for t in trials if "failed_trial" not in t.system_attrs)
    for place, (source, point) in enumerate(tqdm(new, desc="enqueueing trials", delay=2), max(places, default=-1) + 1):
        lock.keep()
        study.enqueue_trial(point, {"source": source, PLACE: place})


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def put_back_killed(study: Study, storage: BaseStorage) -> None:
    """Let the trials wait again whose process on this machine was killed.

    They then run before all later trials, so that a sampler that learns from finished trials draws what it would have
    drawn without the interruption. Their heartbeats would become stale only later. A trial that was put back twice
    fails. Call this before the processes of this search start: a trial that another search takes at the same moment
    does not yet name its process.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, _, process = (trial.user_attrs.get(WORKER) or "").rpartition(":")
        if host != socket.gethostname() or not process.isdecimal() or is_running(int(process)):
            continue
        with suppress(UpdateFinishedTrialError):  # another process has noticed it, too
            if killed_so_far(trial) < RETRIES:
                storage.set_trial_user_attr(trial._trial_id, KILLS, trial.user_attrs.get(KILLS, 0) + 1)
                put_back(storage, trial._trial_id)
            else:
                storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def put_back(storage: BaseStorage, trial: int) -> None:
    """Let a running trial wait again."""
    storage.set_trial_user_attr(trial, WORKER, None)
    storage.set_trial_state_values(trial, TrialState.WAITING)


def claim(study: Study, storage: BaseStorage) -> Trial | None:
    """Take the waiting trial with the lowest number; None if no trial is waiting."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        # The heartbeat comes first. If this process were killed in between, a running trial without a heartbeat would
        # never be run again.
        storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
        try:
            if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                return Trial(study, trial._trial_id)
        except UpdateFinishedTrialError:
            pass
    return None

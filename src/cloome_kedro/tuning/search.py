"""The search: make a study or go on with it, fill its queue, and work until all of it has ended."""

import logging
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

import optuna
from optuna import Study
from optuna.trial import TrialState
from tqdm import tqdm

from cloome_kedro.signals import ended_by_sigterm
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.devices import environment, environments
from cloome_kedro.tuning.queue import fill
from cloome_kedro.tuning.store import StudyStore, quiet
from cloome_kedro.tuning.worker import Objective, Outcome, Question, Report, Search, work

__all__ = ["Objective", "Outcome", "Question", "Report", "search"]

logger = logging.getLogger(__name__)

_IDENTITY = "identity"
_UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)
_GRACE = 60.0  # seconds that a worker has to end once it is told to


def search(store: StudyStore, name: str, question: Question, config: SearchConfig) -> Study:
    """Search a study to its end, alone or with others that were started elsewhere; one that has ended is given back.

    Parameters
    ----------
    store
        Where studies are kept.
    name
        The study's name in the database; it is made where there is none.
    question
        What is searched for.
    config
        How it is searched.

    Raises
    ------
    ValueError
        Where the study has another identity, or the space does not contain a point or has no grid.
    RuntimeError
        Where every worker has died, or no trial was completed.
    """
    searched = Search(store, name, question, config)
    with ended_by_sigterm():
        study = _open(searched)
        fill(study, study._storage, question.space, question.first, config)
        with _progress(study) as show:
            if config.workers == 1:
                work(searched, study, show)
            else:
                _work_in_processes(searched, study, show)
    shutil.rmtree(store.trials(name), ignore_errors=True)  # of trials that were killed too often
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        reasons = dict.fromkeys(trial.user_attrs.get("reason", "its process was killed") for trial in failed)
        raise RuntimeError(f"study {name!r}: none of its trials was completed. {'; '.join(list(reasons)[:3])}")
    return study


@quiet()
def _open(searched: Search) -> Study:
    store, name, identity = searched.store, searched.name, searched.question.identity
    storage = store.storage(searched.config.heartbeat_seconds)
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    if _IDENTITY not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(_IDENTITY, identity)
    known = study.user_attrs.get(_IDENTITY, {})
    if different := [key for key in {**known, **identity} if known.get(key) != identity.get(key)]:
        details = "; ".join(f"{key} was {_short(known.get(key))}, is {_short(identity.get(key))}" for key in different)
        raise ValueError(
            f"study {name!r} in {store.place} cannot go on, its trials would not be comparable: {details}. Give this "
            f"search a name of its own (tuning.study), or delete the old one: optuna delete-study --storage "
            f"{store.place} --study-name {name!r}"
        )
    return searched.open()


def _short(value: str | None) -> str:
    text = "not set" if value is None else value
    return text if len(text) <= 40 else f"{text[:37]}..."


@contextmanager
def _progress(study: Study) -> Iterator[Callable[[], None]]:
    """Give a function that shows how many trials have ended, and the best value."""
    with tqdm(desc=f"study {study.study_name}", total=len(study.get_trials(deepcopy=False)), unit="trial") as bar:

        def show() -> None:
            trials = study.get_trials(deepcopy=False)
            values = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
            bar.total, bar.n = len(trials), sum(trial.state.is_finished() for trial in trials)
            bar.set_postfix({"best": f"{max(values):.4g}"} if values else None, refresh=True)

        yield show
        show()


def _work_in_processes(searched: Search, study: Study, show: Callable[[], None]) -> None:
    """Start workers and wait until all have ended; SIGTERM or an interruption ends them."""
    context = multiprocessing.get_context("spawn")  # a forked process could not use CUDA, nor the database
    workers: list = []
    try:
        for number, variables in enumerate(environments(searched.config.workers)):
            worker = context.Process(target=_worker, args=(searched,), name=f"worker {number}")
            with environment(variables):
                worker.start()
            workers.append(worker)
        running = list(workers)
        while running:
            wait([worker.sentinel for worker in running], timeout=2)
            for worker in [worker for worker in running if not worker.is_alive()]:
                running.remove(worker)
                if worker.exitcode:
                    logger.warning(
                        "%s (process %d) died with exit code %d; %d workers go on",
                        worker.name,
                        worker.pid,
                        worker.exitcode,
                        len(running),
                    )
            show()
    finally:
        _end(workers)
    if left := len(study.get_trials(deepcopy=False, states=_UNFINISHED)):
        raise RuntimeError(
            f"study {study.study_name!r}: all workers have died, {left} trials are left. Run it again to go on"
        )


def _end(workers: list) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_GRACE)
        worker.kill()


def _worker(searched: Search) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C the parent takes care: it ends its workers
    try:
        with ended_by_sigterm():
            work(searched, searched.open())
    except KeyboardInterrupt:  # a training listens to it nevertheless
        raise SystemExit(128 + signal.SIGINT) from None

"""The search: create or continue a study, fill its queue, and work until all trials have ended."""

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
from cloome_kedro.tuning.queue import fill, put_back_killed
from cloome_kedro.tuning.store import StudyStore, failure_reason, quiet
from cloome_kedro.tuning.worker import Objective, Outcome, Question, Report, Search, work

__all__ = ["Objective", "Outcome", "Question", "Report", "search"]

logger = logging.getLogger(__name__)

_IDENTITY = "identity"
_UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)
_GRACE_SECONDS = 60.0  # time for a worker to end after SIGTERM


def search(store: StudyStore, name: str, question: Question, config: SearchConfig) -> Study:
    """Run a study to its end, together with searches of the same study on other machines.

    A finished study is returned as it is.

    Parameters
    ----------
    store
        Where studies are stored.
    name
        Name of the study in the database. The study is created if it does not exist.
    question
        What is searched.
    config
        How it is searched.

    Returns
    -------
    optuna.Study
        The finished study.

    Raises
    ------
    ValueError
        If the study was started with another identity, or the space does not contain a point or has no grid.
    RuntimeError
        If all workers have died, or no trial is complete.
    """
    searched = Search(store, name, question, config)
    with ended_by_sigterm():
        study = _open(searched)
        put_back_killed(study, study._storage)
        fill(study, study._storage, question.space, question.first, config)
        with _progress(study) as show:
            if config.workers == 1:
                work(searched, study, show)
            else:
                _work_in_processes(searched, study, show)
    shutil.rmtree(store.trials(name), ignore_errors=True)  # folders of trials that were killed too often
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        reasons = dict.fromkeys(map(failure_reason, failed))
        raise RuntimeError(f"study {name!r}: no trial is complete. Reasons: {'; '.join(list(reasons)[:3])}")
    return study


@quiet()
def _open(searched: Search) -> Study:
    store, name, identity = searched.store, searched.name, searched.question.identity
    storage = store.storage(searched.config.heartbeat_seconds)
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    if _IDENTITY not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(_IDENTITY, identity)
    known = study.user_attrs.get(_IDENTITY, {})
    if changed := [key for key in {**known, **identity} if known.get(key) != identity.get(key)]:
        details = "; ".join(f"{key} was {_short(known.get(key))}, is {_short(identity.get(key))}" for key in changed)
        raise ValueError(
            f"study {name!r} in {store.safe_url} cannot continue, since its trials would not be comparable: {details}. "
            f"Give this search another name (tuning.study), or delete the old study: optuna delete-study --storage "
            f"{store.safe_url} --study-name {name!r}"
        )
    return searched.open()


def _short(value: str | None) -> str:
    text = "not set" if value is None else value
    return text if len(text) <= 40 else f"{text[:37]}..."


@contextmanager
def _progress(study: Study) -> Iterator[Callable[[], None]]:
    """Show a progress bar of finished trials and the best value; yield the function that updates it."""
    with tqdm(desc=f"study {study.study_name}", total=len(study.get_trials(deepcopy=False)), unit="trial") as bar:

        def show() -> None:
            trials = study.get_trials(deepcopy=False)
            values = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
            bar.total, bar.n = len(trials), sum(trial.state.is_finished() for trial in trials)
            bar.set_postfix({"best": f"{max(values):.4g}"} if values else None, refresh=True)

        yield show
        show()


def _work_in_processes(searched: Search, study: Study, show: Callable[[], None]) -> None:
    """Start workers and wait until all have ended. SIGTERM or an interruption ends them."""
    context = multiprocessing.get_context("spawn")  # a forked process can use neither CUDA nor the open database
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
                        "%s (process %d) died with exit code %d; %d workers continue",
                        worker.name,
                        worker.pid,
                        worker.exitcode,
                        len(running),
                    )
            show()
    finally:
        _end(workers)
    if unfinished := len(study.get_trials(deepcopy=False, states=_UNFINISHED)):
        raise RuntimeError(
            f"study {study.study_name!r}: all workers have died, {unfinished} trials are unfinished. Run the same "
            "command again to continue"
        )


def _end(workers: list) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_GRACE_SECONDS)
        worker.kill()


def _worker(searched: Search) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at Ctrl-C the parent process ends its workers
    try:
        with ended_by_sigterm():
            work(searched, searched.open())
    except KeyboardInterrupt:  # a training handles SIGINT again
        raise SystemExit(128 + signal.SIGINT) from None

"""Run tasks in parallel processes or on a Dask cluster, with a progress bar. Only this module uses joblib."""

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor
from tqdm.auto import tqdm

from cloome_kedro.cluster import address_of_cluster, run_on_cluster

T = TypeVar("T")

_MOST_PROCESSES = "LOKY_MAX_CPU_COUNT"  # environment variable that limits the number of cores for joblib
_WATCH_SECONDS = 1.0  # between two looks of a worker at its parent
_workers_lock = threading.Lock()
_users_of_workers = 0  # calls of `run_tasks` in this process that use worker processes now


@dataclass(frozen=True)
class Bar:
    """A progress bar.

    Attributes
    ----------
    label
        Text in front of the bar: what is done.
    unit
        Name of what is counted, such as ``plate``.
    sizes
        Number of units of each task. None: one unit per task.
    delay
        Seconds after which the bar appears.
    """

    label: str
    unit: str
    sizes: Sequence[int] | None = None
    delay: float = 0


def run_tasks(
    function: Callable[..., T], tasks: Sequence[tuple], bar: Bar, n_jobs: int = -1, ordered: bool = True
) -> Iterator[tuple[int, T]]:
    """Call ``function(*task)`` for every task, in several processes if ``n_jobs`` allows it.

    The processes end with the last task, or when the current process ends for any reason. Tasks run on the workers of a
    Dask cluster instead if `cloome_kedro.cluster.use_cluster` has named one; see `run_on_cluster` there.

    Parameters
    ----------
    function
        Function that can be pickled.
    tasks
        Arguments of each call.
    bar
        The progress bar.
    n_jobs
        Number of processes; -1 is one per core. There are never more processes than tasks. If the number is 1, the
        tasks run in the current process. With any other number, a cluster uses all its workers.
    ordered
        Whether results come in the order of the tasks. Otherwise each one comes as soon as it is ready.

    Yields
    ------
    Number of the task (from 0), and its result.
    """
    if not tasks:
        return
    sizes = bar.sizes or [1] * len(tasks)
    with (
        tqdm(total=sum(sizes), desc=bar.label, unit=bar.unit, delay=bar.delay) as progress,
        closing(_run(function, tasks, n_jobs, ordered)) as results,
    ):
        for number, result in results:
            progress.update(sizes[number])
            yield number, result


def _run(
    function: Callable[..., T], tasks: Sequence[tuple], n_jobs: int, ordered: bool
) -> Generator[tuple[int, T], None, None]:
    """See `run_tasks`."""
    if n_jobs != 1 and (address := address_of_cluster()):
        yield from run_on_cluster(function, tasks, address, ordered)
        return
    jobs = min(joblib.effective_n_jobs(n_jobs), len(tasks))
    # Each process uses one thread: several processes with several threads each would compete for the cores.
    engine: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1} if jobs > 1 else {"backend": "sequential"}
    calls = (joblib.delayed(_numbered)(function, number, task, os.getpid()) for number, task in enumerate(tasks))
    with _workers(jobs), joblib.parallel_config(**engine):
        run = joblib.Parallel(n_jobs=jobs, return_as="generator" if ordered else "generator_unordered")
        with closing(run(calls)) as results:
            yield from results


def cores() -> int:
    """Number of cores that this process may use: all of them, except inside `share_of_cores`.

    >>> cores() >= 1
    True
    """
    return joblib.cpu_count()


@contextmanager
def share_of_cores(share: int) -> Iterator[None]:
    """Compute on ``1 / share`` of the cores inside the block: by threads, and by processes of `run_tasks`."""
    import torch
    from threadpoolctl import threadpool_limits

    before, threads = os.environ.get(_MOST_PROCESSES), torch.get_num_threads()
    os.environ[_MOST_PROCESSES] = str(max(1, cores() // share))
    fewer = max(1, threads // share)
    torch.set_num_threads(fewer)
    try:
        with threadpool_limits(fewer):
            yield
    finally:
        torch.set_num_threads(threads)
        os.environ.pop(_MOST_PROCESSES)
        if before is not None:
            os.environ[_MOST_PROCESSES] = before


@contextmanager
def _workers(jobs: int) -> Iterator[None]:
    """End the worker processes after the block, unless another thread still uses them.

    joblib would keep idle workers for five minutes. A process that was started by `multiprocessing`, such as one of
    Kedro's ParallelRunner, would wait for them before it ends.
    """
    global _users_of_workers
    if jobs == 1:
        yield
        return
    with _workers_lock:
        _users_of_workers += 1
    try:
        yield
    finally:
        with _workers_lock:
            _users_of_workers -= 1
            if not _users_of_workers:
                executor = get_reusable_executor(reuse=True)
                # `terminate` also removes the temporary files of joblib's executor.
                getattr(executor, "terminate", executor.shutdown)()


def _numbered(function: Callable[..., T], number: int, task: tuple, parent: int) -> tuple[int, T]:
    if parent != os.getpid():  # a worker process
        end_with(parent)
    return number, function(*task)


_watched: set[int] = set()  # parents that this worker watches


def end_with(parent: int) -> None:
    """End this process soon after its parent has ended, even if the parent was killed and could not end it."""
    if os.name != "posix" or parent in _watched:  # other systems keep the number of an ended parent
        return
    _watched.add(parent)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

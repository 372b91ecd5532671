"""Run tasks on the workers of a Dask cluster (extra ``dask``). Only this module uses Dask.

Dask's own client submits the tasks, and not joblib's Dask backend. That backend puts large arguments into the memory of
one worker, and they are lost if this worker dies.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

_ADDRESS = "CLOOME_DASK_SCHEDULER"  # an environment variable, so that processes started by this one have it, too
_CONNECT_SECONDS = 20.0
_WATCH_SECONDS = 60.0  # between two looks for workers
#: Tasks that are submitted and have no result yet: at least this number, or some per thread of the cluster. So there is
#: always work, a cluster that adapts itself sees that more workers are needed, and few results wait in memory.
_SUBMITTED, _SUBMITTED_PER_THREAD = 64, 4


def use_cluster(address: str | None) -> None:
    """Choose where `cloome_kedro.parallel.run_tasks` runs tasks, in this process and in those that it starts.

    Parameters
    ----------
    address
        Scheduler of a Dask cluster, such as ``tcp://10.0.0.1:8786``, or the file that it writes with
        ``--scheduler-file``. None: processes of this machine.
    """
    if address is None:
        os.environ.pop(_ADDRESS, None)
    else:
        os.environ[_ADDRESS] = address


def address_of_cluster() -> str | None:
    """Scheduler of the cluster on which tasks run; None if they run on this machine."""
    return os.environ.get(_ADDRESS)


def run_on_cluster(
    function: Callable[..., T], tasks: Sequence[tuple], address: str, ordered: bool
) -> Iterator[tuple[int, T]]:
    """Call ``function(*task)`` for every task on the workers of a cluster.

    The tasks of a worker that dies run again on other workers. If the generator is closed, the tasks that have not
    begun are cancelled; those that run go on to their end.

    Parameters
    ----------
    function
        Function that can be pickled. The workers must have the modules that it needs, and see the same files.
    tasks
        Arguments of each call.
    address
        See `use_cluster`.
    ordered
        Whether results come in the order of the tasks. Otherwise each one comes as soon as it is ready.

    Yields
    ------
    Number of the task (from 0), and its result.

    Raises
    ------
    ImportError
        If the extra ``dask`` is not installed.
    ConnectionError
        If the scheduler cannot be reached, or is lost.
    """
    with _connected(address) as client, _watched(client, address):
        try:
            collect = _in_order if ordered else _as_ready
            yield from collect(_Calls(client, function, tasks))
        except _lost_errors() as error:
            raise ConnectionError(
                f"the Dask scheduler {address} was lost ({error}). Results that are on the disk are kept: start the "
                "cluster, and run again to continue"
            ) from error


class _Calls:
    """The calls, of which some at a time are submitted.

    Parameters
    ----------
    client : distributed.Client
    function, tasks
        See `run_on_cluster`.
    """

    def __init__(self, client: Any, function: Callable, tasks: Sequence[tuple]):
        self.client = client
        self._calls = ((number, partial(function, *task)) for number, task in enumerate(tasks))
        self._wanted = 0

    def submit(self, waiting: int) -> list[tuple[int, Any]]:
        """Submit more calls if many of the last ones are done.

        Parameters
        ----------
        waiting
            Submitted calls whose results were not given yet.

        Returns
        -------
        Number and future of each newly submitted call.
        """
        if waiting > self._wanted // 2:
            return []
        try:
            self._wanted = max(_SUBMITTED, _SUBMITTED_PER_THREAD * sum(self.client.nthreads().values()))
            calls = islice(self._calls, self._wanted - waiting)
            return [(number, self.client.submit(call, pure=False)) for number, call in calls]
        except (OSError, RuntimeError) as error:  # the client has lost the scheduler, and closes
            raise _Lost(str(error)) from error

    def cancel(self, futures: Iterable[Any]) -> None:
        """Cancel calls that have not begun."""
        with suppress(OSError, RuntimeError):  # a scheduler that is lost has none
            self.client.cancel(list(futures))


class _Lost(Exception):
    """The scheduler does not answer any more."""


def _in_order(calls: _Calls) -> Iterator[tuple[int, Any]]:
    waiting: deque[tuple[int, Any]] = deque()
    try:
        while True:
            waiting.extend(calls.submit(len(waiting)))
            if not waiting:
                return
            number, future = waiting.popleft()
            yield number, future.result()
    finally:
        calls.cancel(future for _, future in waiting)


def _as_ready(calls: _Calls) -> Iterator[tuple[int, Any]]:
    from distributed import as_completed

    numbers: dict[Any, int] = {}
    ready = as_completed([], loop=calls.client.loop)
    try:
        while True:
            for number, future in calls.submit(len(numbers)):
                numbers[future] = number
                ready.add(future)
            if not numbers:
                return
            future = next(ready)
            yield numbers.pop(future), future.result()
    finally:
        calls.cancel(numbers)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Client of the cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(
            "a Dask cluster (parallel.backend) needs distributed, which is not installed: pip install "
            "'cloome-kedro[dask]'"
        ) from error
    is_file = "://" not in address and os.sep in address
    if is_file and not os.path.exists(address):  # the client would wait for it without end
        raise ConnectionError(f"there is no file {address} of a Dask scheduler (parallel.address): start the cluster")
    place = {"scheduler_file": address} if is_file else {"address": address}
    try:
        client = Client(**place, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler can be reached at {address} (parallel.address): {error}. Start the cluster, or correct "
            "the address"
        ) from error
    with client:
        yield client


@contextmanager
def _watched(client: Any, address: str) -> Iterator[None]:
    """Log during the block, from time to time, that the cluster has no worker, and once that workers are not as needed.

    Workers may come late: jobs wait in a queue, and a cluster that adapts itself starts workers for tasks that wait.
    """
    ended, several = threading.Event(), threading.Event()

    def look() -> None:
        threads = max(client.nthreads().values(), default=0)
        if not threads:
            logger.warning("the Dask cluster %s has no worker: tasks wait until one is there", address)
        if threads > 1 and not several.is_set():
            several.set()
            logger.warning(
                "a worker of the Dask cluster %s has %d threads, which share one processor for most of a task: start "
                "workers with one thread, and more of them (--nthreads 1 --nworkers N)",
                *(address, threads),
            )

    def watch() -> None:
        with suppress(OSError, RuntimeError):  # the scheduler is lost, which `_Calls` notes
            while not ended.wait(_WATCH_SECONDS):
                look()

    look()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _lost_errors() -> tuple[type[BaseException], ...]:
    from distributed.client import FutureCancelledError

    return _Lost, FutureCancelledError

"""Run tasks in parallel processes, with a progress bar. Only this module uses joblib."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import joblib
from tqdm.auto import tqdm

T = TypeVar("T")


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
        tasks run in the current process.
    ordered
        Whether results come in the order of the tasks. Otherwise each one comes as soon as it is ready.

    Yields
    ------
    Number of the task (from 0), and its result.
    """
    if not tasks:
        return
    sizes = bar.sizes or [1] * len(tasks)
    jobs = min(joblib.effective_n_jobs(n_jobs), len(tasks))
    # Each process uses one thread: several processes with several threads each would compete for the cores.
    engine: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1} if jobs > 1 else {"backend": "sequential"}
    calls = (joblib.delayed(_numbered)(function, number, task) for number, task in enumerate(tasks))
    with (
        joblib.parallel_config(**engine),
        tqdm(total=sum(sizes), desc=bar.label, unit=bar.unit, delay=bar.delay) as progress,
    ):
        results = joblib.Parallel(n_jobs=jobs, return_as="generator" if ordered else "generator_unordered")(calls)
        for number, result in results:
            progress.update(sizes[number])
            yield number, result


def _numbered(function: Callable[..., T], number: int, task: tuple) -> tuple[int, T]:
    return number, function(*task)

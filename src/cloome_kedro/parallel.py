"""Parallel work with a progress bar: the only caller of joblib."""

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
    label, unit
        What is done, and to what.
    sizes
        Units of each task; one if not given.
    delay
        Seconds before the bar is shown.
    """

    label: str
    unit: str
    sizes: Sequence[int] | None = None
    delay: float = 0


def run_tasks(
    function: Callable[..., T], tasks: Sequence[tuple], bar: Bar, n_jobs: int = -1, ordered: bool = True
) -> Iterator[tuple[int, T]]:
    """Call ``function(*task)`` for every task, in processes where there are several jobs.

    Parameters
    ----------
    function
        Picklable.
    tasks
        Arguments of each call.
    n_jobs
        Processes; -1 uses every core. No more processes than tasks are started. One job runs in this process.
    ordered
        Whether results come in the order of the tasks, or as soon as they are there.

    Yields
    ------
    Number of the task, and its result.
    """
    if not tasks:
        return
    sizes = bar.sizes or [1] * len(tasks)
    jobs = min(joblib.effective_n_jobs(n_jobs), len(tasks))
    # A task computes on one thread: several processes with several threads each would compete for the cores.
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

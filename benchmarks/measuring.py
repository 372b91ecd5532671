"""What the benchmarks share: they measure pairs alternately, and print rows of one table."""

import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

os.environ.setdefault("TQDM_DISABLE", "1")  # the table has no place for progress bars

#: columns of the table
COLUMNS = ("step", "ours", "reference", "ratio", "limit", "share of the limit")


def processor_seconds() -> float:
    """Processor time of this process, its threads and its ended child processes. Other load does not change it."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def alternating(
    work: Mapping[str, Callable[[], object]], repeats: int = 5, clock: Callable[[], float] = processor_seconds
) -> dict[str, float]:
    """Measure each function ``repeats`` times, in turns, after one call that does not count; return the medians.

    The functions take turns, so that other load on the machine, heat and caches concern all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, compute in work.items():
            start = clock()
            compute()
            if repeat:
                seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def row(step: str, unit: str, ours: float, reference: float | None = None, limit: float | None = None) -> str:
    """Make a row of the table: rates (the more, the better) in ``unit``, and their ratios.

    >>> row("read", "fields/s", 80, 20, 160)
    'read | 80 fields/s | 20 fields/s | 4.0 | 160 fields/s | 50 %'
    """
    rates = [
        f"{rate:,.0f} {unit}" if rate >= 10 else f"{rate:.2g} {unit}" for rate in (ours, reference or 0, limit or 0)
    ]
    compared = [rates[1], f"{ours / reference:.1f}"] if reference else ["", ""]
    limited = [rates[2], f"{ours / limit:.0%}".replace("%", " %")] if limit else ["", ""]
    return " | ".join([step, rates[0], *compared, *limited])


def costs(step: str, unit: str, ours: float, reference: float | None = None, limit: float | None = None) -> str:
    """Make a row of the table from amounts of which less is better, such as memory.

    >>> costs("read", "MiB", 20, 80)
    'read | 20 MiB | 80 MiB | 4.0 |  | '
    """
    columns = row(step, unit, ours, reference, limit).split(" | ")
    if reference:
        columns[3] = f"{reference / ours:.1f}"
    if limit:
        columns[5] = f"{limit / ours:.0%}".replace("%", " %")
    return " | ".join(columns)


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function of a module in a fresh process, and return its result: memory of before does not count."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        return pool.submit(function, *arguments).result()


def exponent(sizes: Sequence[float], amounts: Sequence[float]) -> float:
    """Fit the exponent with which amounts grow: the slope of a line through their logarithms.

    >>> round(exponent([1, 4, 16], [3, 48, 768]), 6)
    2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(amounts), 1)[0])


def machine() -> str:
    """Describe the machine: processor, cores, memory, GPU."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = names[0] if names else platform.processor() or platform.machine()
    parts = [processor, f"{cores} cores", f"{memory:.0f} GiB", *(gpus or ["no GPU"])]
    return f"{', '.join(parts)}, Python {platform.python_version()}, torch {torch.__version__}"


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.readlines()
    except OSError:
        return []

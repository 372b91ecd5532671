"""Tasks for the tests of parallel work, in a module that worker processes can import."""

import importlib
import itertools
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from cloome_kedro.parallel import Bar, run_tasks


def square(number):
    return number**2


def subtract(first, second):
    return first - second


def process_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def _is_met(condition):
    """Whether a condition is met within two minutes."""
    deadline = time.monotonic() + 120
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return met


def waits_for(path):
    """Whether a file is there within two minutes."""
    return _is_met(path.exists)


def process_beside_another(folder):
    """Number of this process, as soon as a second process has such a task."""
    Path(folder, str(os.getpid())).touch()
    assert _is_met(lambda: len(os.listdir(folder)) > 1)
    return os.getpid()


def threads(_):
    """How many threads numerical libraries may use in the task's process."""
    return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")]


def fail_at(number, wrong):
    if number == wrong:
        raise ZeroDivisionError(f"task {number}")
    return number


def squares_of(numbers):
    """Squares, computed in two processes."""
    return [result for _, result in run_tasks(square, [(number,) for number in numbers], Bar("", "piece"), 2)]


def signal_then_sleep(folder):
    """Leave a file with the number of this process, then sleep."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(120)


def run_for_ever(folder):
    list(run_tasks(signal_then_sleep, [(folder,)] * 2, Bar("", "piece"), 2))


def square_after_a_death(number, marker):
    """A square. The first task that finds no marker leaves one, and kills its own process."""
    with suppress(FileExistsError), open(marker, "x"):
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def kill_in_the_middle(module, function, marker, calls):
    """Let this process kill itself at one of the calls of a function of a module, but only the first such process."""
    original = getattr(importlib.import_module(module), function)
    seen = itertools.count(1)

    def wrapped(*arguments):
        if next(seen) == calls:
            with suppress(FileExistsError), open(marker, "x"):
                os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    setattr(importlib.import_module(module), function, wrapped)


def leave_a_file(number, folder, go):
    """Leave a file with the number of the task; all tasks but the first then wait for the file ``go``."""
    Path(folder, str(number)).touch()
    return number == 0 or waits_for(go)

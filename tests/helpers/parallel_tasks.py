"""Tasks for the tests of parallel work, in a module that worker processes can import."""

import os
import time


def square(number):
    return number**2


def subtract(first, second):
    return first - second


def process_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def waits_for(path):
    """Whether a file is there within half a minute."""
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.exists()


def threads(_):
    """How many threads numerical libraries may use in the task's process."""
    return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")]


def fail_at(number, wrong):
    if number == wrong:
        raise ZeroDivisionError(f"task {number}")
    return number

"""Handle SIGTERM and SIGINT so that a process can end its current step and clean up."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_REQUEST = 1.0  # seconds


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list, so that the current step can end first.

    The block gets the list, in the order in which the signals arrive. A SIGINT that arrives more than a second after
    the first signal raises KeyboardInterrupt at once.
    """
    caught: list[int] = []
    first = 0.0

    def collect(number: int, _: Any) -> None:
        nonlocal first
        # The system can send two signals to the processes of a killed run. They count as one request.
        if number == signal.SIGINT and caught and time.monotonic() - first > _SAME_REQUEST:
            raise KeyboardInterrupt
        first = first or time.monotonic()
        caught.append(number)

    with _handled(collect, *_SIGNALS):
        yield caught


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore SIGTERM and SIGINT, for a process that is about to end and may get a signal a second time."""
    with _handled(signal.SIG_IGN, *_SIGNALS):
        yield


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Raise SystemExit at SIGTERM, so that the cleanup of the process runs."""

    def end(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    with _handled(end, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable | signal.Handlers, *numbers: int) -> Iterator[None]:
    """Use a handler for some signals. Only the main thread can set handlers, so other threads change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)

"""Signals that end a process, held back or turned into an exit until it can end well."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IMPATIENCE = 1.0  # seconds


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT, so that the current step ends first; gives the list of those that have come in.

    A second SIGINT, more than a second after the first, interrupts at once.
    """
    caught: list[int] = []
    first = 0.0

    def note(number: int, _: Any) -> None:
        nonlocal first
        # Two signals at once are one wish: the system may send a killed run's processes two.
        if number == signal.SIGINT and caught and time.monotonic() - first > _IMPATIENCE:
            raise KeyboardInterrupt
        first = first or time.monotonic()
        caught.append(number)

    with _handled(note, *_SIGNALS):
        yield caught


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore SIGTERM and SIGINT: the process is about to end, and a signal may be sent twice."""
    with _handled(signal.SIG_IGN, *_SIGNALS):
        yield


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process by SystemExit, so that its cleanup runs."""

    def end(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    with _handled(end, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable | signal.Handlers, *numbers: int) -> Iterator[None]:
    """Use a handler for some signals; no change outside the main thread, where none can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)

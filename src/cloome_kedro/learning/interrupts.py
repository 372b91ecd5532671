"""Signals that end a run, held back until it can end well."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_IMPATIENCE = 1.0  # seconds


@contextmanager
def held_back() -> Iterator[list[int]]:
    """SIGTERM and SIGINT that came in, held back so that the step ends first; a second SIGINT, later, goes through."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield caught
        return
    first = 0.0

    def note(number: int, _) -> None:
        nonlocal first
        # At once, a second one is no second wish: the system may send a killed run's processes two.
        if number == signal.SIGINT and caught and time.monotonic() - first > _IMPATIENCE:
            raise KeyboardInterrupt
        first = first or time.monotonic()
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

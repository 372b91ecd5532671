"""Signals that end a run, held back until it can end well."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[list[int]]:
    """SIGTERM and SIGINT that came in, held back so that the step ends first; a second SIGINT goes through."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield caught
        return

    def note(number: int, _) -> None:
        if number == signal.SIGINT and caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

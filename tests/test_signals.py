"""Signals: held back, ignored, turned into an exit. What would end a process is tried in one of its own."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from cloome_kedro import signals
from cloome_kedro.signals import ended_by_sigterm, held_back, ignored

PRELUDE = """
import os, signal, sys, time
from cloome_kedro import signals
from cloome_kedro.signals import ended_by_sigterm, held_back, ignored

def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # Python handles a signal between two steps

"""


def run(code):
    """Run code in a process of its own: its exit status, what it printed, its errors."""
    done = subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def handlers():
    """Handlers are those of before at the end of each test. A process in the background starts with SIGINT ignored."""
    given = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM)
    yield
    assert signal.signal(signal.SIGINT, given) == signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == before


def send(number):
    os.kill(os.getpid(), number)


def test_signals_are_collected_in_their_order(monkeypatch):
    monkeypatch.setattr(signals.time, "monotonic", lambda: 10.0)
    with held_back() as caught:
        assert caught == []
        send(signal.SIGTERM)
        send(signal.SIGINT)
        send(signal.SIGTERM)
    assert caught == [signal.SIGTERM, signal.SIGINT, signal.SIGTERM]


def test_two_interrupts_at_once_are_one_wish(monkeypatch):
    monkeypatch.setattr(signals.time, "monotonic", lambda: 10.0)
    with held_back() as caught:
        send(signal.SIGINT)
        send(signal.SIGINT)
    assert caught == [signal.SIGINT] * 2


def test_a_second_interrupt_that_comes_later_interrupts(monkeypatch):
    clock = iter([10.0, 10.9, 11.1])
    monkeypatch.setattr(signals.time, "monotonic", lambda: next(clock))
    with held_back() as caught:
        send(signal.SIGINT)  # at 10.0
        send(signal.SIGINT)  # at 10.9: less than a second later
        assert caught == [signal.SIGINT] * 2
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)  # at 11.1


def test_sigterm_alone_never_interrupts(monkeypatch):
    clock = iter([10.0, 20.0, 30.0])
    monkeypatch.setattr(signals.time, "monotonic", lambda: next(clock))
    with held_back() as caught:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
    assert caught == [signal.SIGTERM] * 2


def test_an_interrupt_long_after_sigterm_interrupts(monkeypatch):
    clock = iter([10.0, 20.0])
    monkeypatch.setattr(signals.time, "monotonic", lambda: next(clock))
    with held_back():
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_a_process_ends_its_step_before_a_signal_ends_it():
    code = """
with held_back() as caught:
    send(signal.SIGTERM)
    print("the step has ended")
send(caught[0])
print("never")
"""
    assert run(code)[:2] == (-signal.SIGTERM, "the step has ended\n")


def test_a_second_interrupt_ends_a_process_within_its_step():
    code = """
with held_back() as caught:
    send(signal.SIGINT)
    print("goes on", flush=True)
    time.sleep(1.05)
    send(signal.SIGINT)
    print("never")
"""
    status, printed, errors = run(code)
    assert printed == "goes on\n"
    assert status == -signal.SIGINT
    assert "KeyboardInterrupt" in errors


def test_handlers_of_before_return_after_an_error_too():
    """The fixture compares them."""
    for context in (held_back, ignored, ended_by_sigterm):
        with pytest.raises(ZeroDivisionError), context():
            raise ZeroDivisionError


def test_ignored_signals_do_nothing():
    with ignored():
        send(signal.SIGTERM)
        send(signal.SIGINT)
    assert run("with ignored():\n    send(signal.SIGTERM)\n    print('goes on')") == (0, "goes on\n", "")


def test_sigterm_becomes_an_exit_so_that_cleanup_runs():
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        send(signal.SIGTERM)
    assert end.value.code == 128 + signal.SIGTERM
    code = """
with ended_by_sigterm():
    try:
        send(signal.SIGTERM)
    finally:
        print("cleaned up")
"""
    assert run(code) == (128 + signal.SIGTERM, "cleaned up\n", "")


def test_an_interrupt_stays_an_interrupt_where_sigterm_ends():
    with pytest.raises(KeyboardInterrupt), ended_by_sigterm():
        send(signal.SIGINT)


@pytest.mark.parametrize("context", [held_back, ignored, ended_by_sigterm])
def test_outside_the_main_thread_nothing_changes(context):
    seen = []

    def work():
        with context() as given:
            seen.append((given, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [([] if context is held_back else None, before)]

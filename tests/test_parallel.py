"""Parallel work: results, their order, processes, errors."""

import ast
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import joblib
import pytest

import cloome_kedro
from cloome_kedro import parallel
from cloome_kedro.atomic import is_running
from cloome_kedro.parallel import Bar, run_tasks
from parallel_tasks import (
    fail_at,
    process_after,
    process_beside_another,
    square,
    squares_of,
    subtract,
    threads,
    waits_for,
)

BAR = Bar("working", "piece")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ordered_results_come_in_the_order_of_the_tasks(n_jobs):
    found = list(run_tasks(square, [(n,) for n in range(7)], BAR, n_jobs))
    assert found == [(n, n**2) for n in range(7)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_unordered_results_have_the_number_of_their_task(n_jobs):
    found = list(run_tasks(square, [(n,) for n in range(7)], BAR, n_jobs, ordered=False))
    assert len(found) == 7
    assert dict(found) == {n: n**2 for n in range(7)}


def test_unordered_results_come_as_soon_as_they_are_there(tmp_path):
    """The first task ends when the second one's result has come."""
    signal = tmp_path / "signal"
    results = run_tasks(waits_for, [(signal,), (tmp_path,)], BAR, 2, ordered=False)
    assert next(results) == (1, True)
    signal.touch()
    assert list(results) == [(0, True)]


def test_a_task_has_any_number_of_arguments():
    assert list(run_tasks(subtract, [(5, 2), (2, 5)], BAR, 1)) == [(0, 3), (1, -3)]


def test_several_jobs_are_processes_and_one_job_is_this_process(tmp_path):
    own = {result for _, result in run_tasks(process_after, [(0,), (0,)], BAR, 1)}
    assert own == {os.getpid()}
    others = {result for _, result in run_tasks(process_beside_another, [(tmp_path,)] * 4, BAR, 2)}
    assert len(others) == 2
    assert os.getpid() not in others


def test_a_process_computes_on_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert [result for _, result in run_tasks(threads, [(0,)] * 2, BAR, 2)] == [["1"] * 3] * 2


def test_no_more_processes_than_tasks_are_started(monkeypatch):
    asked = []
    original = joblib.Parallel

    def recording(**options):
        asked.append(options["n_jobs"])
        return original(**options)

    monkeypatch.setattr(joblib, "Parallel", recording)
    monkeypatch.setattr(joblib, "effective_n_jobs", lambda n_jobs: 8 if n_jobs == -1 else n_jobs)
    assert list(run_tasks(process_after, [(0,)], BAR)) == [(0, os.getpid())], "one task runs in this process"
    list(run_tasks(square, [(1,), (2,)], BAR))
    list(run_tasks(square, [(1,), (2,), (3,)], BAR, 2))
    assert asked == [1, 2, 2]


def test_without_tasks_nothing_is_started(monkeypatch, capsys):
    monkeypatch.setattr(joblib, "Parallel", None)
    monkeypatch.setattr(parallel, "tqdm", None)
    assert list(run_tasks(square, [], BAR)) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_of_a_task_is_raised(n_jobs, ordered):
    with pytest.raises(ZeroDivisionError, match="task 2"):
        list(run_tasks(fail_at, [(number, 2) for number in range(4)], BAR, n_jobs, ordered))


def test_results_before_an_error_are_given():
    results = run_tasks(fail_at, [(number, 2) for number in range(4)], BAR, 1)
    assert [next(results), next(results)] == [(0, 0), (1, 1)]
    with pytest.raises(ZeroDivisionError, match="task 2"):
        next(results)


@pytest.mark.parametrize(("sizes", "counts"), [(None, [1, 2, 3]), ([5, 1, 4], [5, 6, 10])])
def test_the_bar_counts_units(monkeypatch, sizes, counts):
    seen = []

    class Recorder:
        def __init__(self, **options):
            self.options, self.done = options, 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, size):
            self.done += size
            seen.append((self.done, self.options))

    monkeypatch.setattr(parallel, "tqdm", Recorder)
    list(run_tasks(square, [(1,), (2,), (3,)], Bar("measuring", "field", sizes, delay=2), 1))
    assert [done for done, _ in seen] == counts
    assert seen[0][1] == {"total": counts[-1], "desc": "measuring", "unit": "field", "delay": 2}


def ended(processes):
    deadline = time.monotonic() + 60  # half of the time that the tasks sleep, and joblib keeps idle processes for 300
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_running, processes))


@pytest.mark.parametrize("end", ["last task", "error", "left early"])
def test_processes_end_with_the_work(end):
    tasks = [(0.2,), (0.2,), (0.2,), (None if end == "error" else 0.2,)]
    results = run_tasks(process_after, tasks, BAR, 2, ordered=False)
    processes = {next(results)[1]}
    if end == "left early":
        results.close()
    elif end == "error":
        with pytest.raises(TypeError):
            list(results)
    else:
        processes |= {process for _, process in results}
    assert os.getpid() not in processes
    assert ended(processes)


def test_two_threads_can_use_processes_at_once():
    found = {}

    def work(first):
        found[first] = [result for _, result in run_tasks(square, [(first + n,) for n in range(20)], BAR, 2)]

    workers = [threading.Thread(target=work, args=(first,)) for first in (0, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == {first: [(first + n) ** 2 for n in range(20)] for first in (0, 100)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_of_a_pool_ends_at_once_after_parallel_work(method):
    """As with Kedro's ParallelRunner, which runs each node in such a process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        assert pool.submit(squares_of, [1, 2, 3]).result() == [1, 4, 9]
        begin = time.monotonic()
    assert time.monotonic() - begin < 30


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_after_the_main_process_was_killed(tmp_path, number):
    code = f"from parallel_tasks import run_for_ever; run_for_ever({str(tmp_path)!r})"
    helpers = Path(__file__).parent / "helpers"
    main = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(helpers)})
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    assert main.pid not in workers
    main.send_signal(number)
    main.wait()
    assert ended(workers)


@pytest.mark.parametrize(("library", "module"), [("joblib", "parallel.py"), ("distributed", "cluster.py")])
def test_only_one_module_imports_an_engine(library, module):
    """Another engine can then take its place."""
    package = Path(cloome_kedro.__file__).parent
    importers = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == library for name in names):
                importers.add(path.relative_to(package).as_posix())
    assert importers == {module}

"""Tasks on a Dask cluster: the same results as on this machine, whatever happens to the workers."""

import json
import logging
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloome_kedro import cluster, parallel
from cloome_kedro.chemistry import fingerprints, standardise
from cloome_kedro.chemistry.structure_config import StructureSet
from cloome_kedro.chemistry.structure_sets import compute_sets
from cloome_kedro.cluster import address_of_cluster, use_cluster
from cloome_kedro.imaging.config import Measurement, Storage
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.profiles import measure_profiles
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.parallel import Bar, run_tasks
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.screen import design_screen, write_screen
from cloome_kedro.stores import TableStore
from parallel_tasks import (
    fail_at,
    kill_in_the_middle,
    leave_a_file,
    process_after,
    process_beside_another,
    square,
    square_after_a_death,
    threads,
    waits_for,
)
from planted_fields import write_screen as write_planted_screen
from small_screens import make_source, write_load_data_screen

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")

BAR = Bar("working", "piece")
QUIET = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A cluster of two processes, which work in another folder than the tests."""
    # A LocalCluster gives a killed worker up if another process does not replace it within this time.
    patience = dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"})
    with patience, distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **QUIET) as local:
        with distributed.Client(local, set_as_default=False) as client:
            client.run(os.chdir, str(tmp_path_factory.mktemp("elsewhere")))
        yield local


@pytest.fixture
def on_cluster(workers, monkeypatch):
    """Tasks of this test run on the cluster."""
    monkeypatch.setenv("CLOOME_DASK_SCHEDULER", workers.scheduler_address)
    workers.wait_for_workers(2, timeout=60)
    return workers


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ordered", [True, False])
def test_each_task_has_its_result(on_cluster, monkeypatch, ordered):
    monkeypatch.setattr(cluster, "_SUBMITTED", 5)  # the two threads have 8 tasks at a time
    found = list(run_tasks(square, [(n,) for n in range(50)], BAR, ordered=ordered))
    if ordered:
        assert [number for number, _ in found] == list(range(50))
    assert len(found) == 50
    assert dict(found) == {n: n**2 for n in range(50)}


def test_tasks_run_on_the_workers_with_one_thread_each(on_cluster, tmp_path):
    processes = {process for _, process in run_tasks(process_beside_another, [(tmp_path,)] * 4, BAR)}
    with distributed.Client(on_cluster, set_as_default=False) as client:
        assert processes == set(client.run(os.getpid).values())
    assert [result for _, result in run_tasks(threads, [(0,)], BAR)] == [["1"] * 3]


def test_one_job_is_this_process(on_cluster):
    assert [process for _, process in run_tasks(process_after, [(0,)], BAR, 1)] == [os.getpid()]


def test_unordered_results_come_as_soon_as_they_are_there(on_cluster, tmp_path):
    signal = tmp_path / "signal"
    results = run_tasks(waits_for, [(signal,), (tmp_path,)], BAR, ordered=False)
    assert next(results) == (1, True)
    signal.touch()
    assert list(results) == [(0, True)]


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_of_a_task_is_raised(on_cluster, ordered):
    with pytest.raises(ZeroDivisionError, match="task 2"):
        list(run_tasks(fail_at, [(number, 2) for number in range(4)], BAR, ordered=ordered))


def test_the_bar_counts_units(on_cluster, monkeypatch):
    seen = []
    original = parallel.tqdm

    class Recorder(original):
        def update(self, size=1):
            seen.append(size)
            return super().update(size)

    monkeypatch.setattr(parallel, "tqdm", Recorder)
    list(run_tasks(square, [(1,), (2,), (3,)], Bar("measuring", "field", [5, 1, 4])))
    assert seen == [5, 1, 4]


@pytest.mark.parametrize("ordered", [True, False])
def test_tasks_that_are_left_are_cancelled(on_cluster, tmp_path, ordered):
    (begun := tmp_path / "begun").mkdir()
    tasks = [(number, begun, tmp_path / "go") for number in range(40)]
    results = run_tasks(leave_a_file, tasks, BAR, ordered=ordered)
    assert next(results) == (0, True)
    results.close()
    with distributed.Client(on_cluster, set_as_default=False) as client:
        begin = time.monotonic()
        while any(client.processing().values()) and time.monotonic() < begin + 60:
            time.sleep(0.05)
        left = client.processing()
    (tmp_path / "go").touch()
    assert not any(left.values())
    list(run_tasks(square, [(number,) for number in range(20)], BAR))  # they come after all that is left
    assert len(list(begun.iterdir())) <= 3, "the first task, and one on each worker"


@pytest.mark.parametrize("ordered", [True, False])
def test_tasks_of_a_dead_worker_run_again(on_cluster, tmp_path, ordered):
    tasks = [(number, tmp_path / "marker") for number in range(30)]
    found = list(run_tasks(square_after_a_death, tasks, BAR, ordered=ordered))
    assert (tmp_path / "marker").exists()
    assert len(found) == 30
    assert dict(found) == {n: n**2 for n in range(30)}


@pytest.mark.slow
def test_results_are_those_of_this_machine(on_cluster, tmp_path, monkeypatch):
    """Simulation, structures, fingerprints and structural features."""
    smiles = ["CCO", "c1ccccc1O", "CC(=O)O.[Na]", "no structure", "CC(N)C(=O)O"] * 3
    sets = {"counts": StructureSet("morgan", counts=True, size=64), "descriptors": StructureSet("descriptors")}
    config = ScreenConfig(compounds=4, platemaps=2, replicates=1, control_wells=2, field_size=16, assays=2)
    design = design_screen(config)
    monkeypatch.setattr(standardise, "CHUNK", 4)
    monkeypatch.setattr(standardise, "PARALLEL_FROM", 0)
    monkeypatch.setattr(fingerprints, "_STRUCTURES", 2)
    monkeypatch.setattr(fingerprints, "_PARALLEL_FROM", 0)
    folders = {place: tmp_path / place for place in ("here", "cluster")}

    def work(folder, n_jobs):
        outcomes = standardise._standardise_all(smiles, (1000, {}))
        values = compute_sets(smiles[:3], sets, n_jobs) | {"packed": fingerprints.packed_morgan(smiles[:3], 64)}
        return (
            write_screen(folder, design, config, n_jobs).to_dict(),
            outcomes,
            {k: v.tolist() for k, v in values.items()},
        )

    from_cluster = work(folders["cluster"], -1)
    use_cluster(None)
    assert repr(from_cluster) == repr(work(folders["here"], 1))  # as text, because NaN is not equal to itself
    assert contents(folders["cluster"]) == contents(folders["here"])


@pytest.mark.slow
def test_plates_and_profiles_are_those_of_this_machine_though_workers_die(on_cluster, tmp_path):
    (tmp_path / "screen").mkdir()
    source = write_load_data_screen(tmp_path / "screen", plates=3)
    index, _, rejected = index_screen(tmp_path / "screen", "mine", [make_source(source)])
    planted = write_planted_screen(tmp_path / "planted")
    measurement = Measurement(families=("intensity",), nucleus_diameter=10)
    with distributed.Client(on_cluster, set_as_default=False) as client:
        for module, name in (("plates", "read_field"), ("profiles", "measure_field")):
            marker = tmp_path / f"killed at {name}"
            client.run(kill_in_the_middle, f"cloome_kedro.imaging.{module}", name, marker, 4)
    tables = {}
    for place, n_jobs in (("cluster", -1), ("here", 1)):
        plates, profiles = PlateStore(tmp_path / place / "plates"), TableStore(tmp_path / place / "profiles")
        plates.folder.mkdir(parents=True)
        tables[place] = (
            *ingest_plates(plates, index, rejected, Storage(), n_jobs=n_jobs),
            measure_profiles(profiles, *planted, measurement, n_jobs=n_jobs),
        )
    assert len(list(tmp_path.glob("killed at *"))) == 2
    for from_cluster, here in zip(tables["cluster"], tables["here"], strict=True):
        assert from_cluster.equals(here)
    assert contents(tmp_path / "cluster") == contents(tmp_path / "here")


def test_the_file_of_a_scheduler_names_it(on_cluster, tmp_path, monkeypatch):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"type": "Scheduler", "address": on_cluster.scheduler_address}))
    use_cluster(str(file))
    assert list(run_tasks(square, [(3,)], BAR)) == [(0, 9)]
    use_cluster(str(tmp_path / "other.json"))
    with pytest.raises(ConnectionError, match=r"there is no file .*other\.json"):
        list(run_tasks(square, [(3,)], BAR))


# ---- without a cluster


@pytest.fixture
def chosen(monkeypatch):
    """The choice of the cluster is undone after the test."""
    monkeypatch.setenv("CLOOME_DASK_SCHEDULER", "tcp://none:1")
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2.0)


def test_a_scheduler_that_does_not_answer_is_one_clear_error(chosen, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        use_cluster(address)
        begin = time.monotonic()
        with pytest.raises(ConnectionError, match=rf"no Dask scheduler can be reached at {address} \(parallel.address"):
            list(run_tasks(square, [(1,), (2,)], BAR))
        assert time.monotonic() - begin < 15  # fewer than the 20 seconds of other runs


def test_an_address_that_is_none_is_one_clear_error(chosen):
    use_cluster("telegraph://here")
    with pytest.raises(ConnectionError, match="telegraph"):
        list(run_tasks(square, [(1,), (2,)], BAR))


def test_a_scheduler_that_ends_is_one_clear_error(chosen, tmp_path):
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **QUIET) as local:
        use_cluster(local.scheduler_address)
        results = run_tasks(waits_for, [(tmp_path,), (tmp_path / "never",)], BAR)
        assert next(results) == (0, True)
        (tmp_path / "never").touch()
        local.close()
        with pytest.raises(ConnectionError, match=r"was lost .* run again to continue"):
            list(results)


def test_the_log_says_why_a_cluster_is_slow(chosen, caplog, monkeypatch, tmp_path):
    """Also of workers that come late, as from the queue of Slurm."""
    monkeypatch.setattr(cluster, "_WATCH_SECONDS", 0.05)

    def wait_for(text, number):
        begin = time.monotonic()
        while caplog.text.count(text) < number and time.monotonic() < begin + 60:
            time.sleep(0.02)
        assert caplog.text.count(text) >= number

    with distributed.LocalCluster(n_workers=0, threads_per_worker=2, processes=False, **QUIET) as local:
        use_cluster(local.scheduler_address)
        with ThreadPoolExecutor(1) as thread:
            results = thread.submit(lambda: list(run_tasks(waits_for, [(tmp_path / "go",)], BAR)))
            wait_for("has no worker: tasks wait", 3)
            local.scale(1)
            wait_for(several := f"a worker of the Dask cluster {local.scheduler_address} has 2 threads", 1)
            time.sleep(0.2)
            (tmp_path / "go").touch()
            assert results.result() == [(0, True)]
        assert caplog.text.count(several) == 1, "once is enough"


def test_without_the_extra_the_error_names_it(chosen, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'cloome-kedro\[dask\]'"):
        list(run_tasks(square, [(1,), (2,)], BAR))


def test_the_choice_is_that_of_this_process_and_its_children(chosen):
    use_cluster("tcp://a:1")
    assert address_of_cluster() == os.environ["CLOOME_DASK_SCHEDULER"] == "tcp://a:1"
    use_cluster(None)
    assert address_of_cluster() is None
    assert list(run_tasks(process_after, [(0,)], BAR)) == [(0, os.getpid())]

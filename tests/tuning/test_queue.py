"""The queue of a study: exact in size, whoever fills it and however often."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState

from cloome_kedro.tuning import queue
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.queue import claim, fill, put_back_killed
from cloome_kedro.tuning.store import StudyStore, failure_reason, quiet
from tuning_objectives import GRID, RANGES, claim_all

DEFAULT = ("default", {"rate": 2, "objective": "info_nce"})
PUBLISHED = ("published", {"rate": 3, "objective": "info_loob", "beta": 8})
DRAWN, ALL = SearchConfig(trials=5), SearchConfig(sampler="grid", trials=None)


@pytest.fixture
def study():
    return optuna.create_study(study_name="s", direction="maximize")


def queued(study):
    return [(t.user_attrs["source"], t.system_attrs["fixed_params"]) for t in study.trials]


def fill_(study, config, *first, space=GRID, **options):
    fill(study, study._storage, space, first, config, **options)
    return [source for source, _ in queued(study)]


def test_the_given_points_come_first_and_once(study):
    again = ("published", DEFAULT[1])
    assert fill_(study, DRAWN, DEFAULT, PUBLISHED, again) == ["default", "published", "tpe", "tpe", "tpe"]
    assert queued(study)[:2] == [DEFAULT, PUBLISHED]


def test_a_grid_has_every_point_once(study):
    assert fill_(study, ALL, DEFAULT, PUBLISHED) == ["default", "published"] + ["grid"] * 10
    points = [point for _, point in queued(study)]
    assert sorted(map(str, points)) == sorted(map(str, GRID.grid()))
    assert points[0] == DEFAULT[1]


def test_filling_again_adds_what_is_missing(study):
    fill_(study, DRAWN, DEFAULT)
    assert fill_(study, DRAWN, DEFAULT) == ["default"] + ["tpe"] * 4
    more = SearchConfig(trials=7, sampler="random")
    assert fill_(study, more, DEFAULT, PUBLISHED) == ["default"] + ["tpe"] * 4 + ["published", "random"]
    assert fill_(study, SearchConfig(trials=3), DEFAULT, PUBLISHED)[7:] == []
    assert fill_(study, ALL)[7:] == ["grid"] * 10
    assert [trial.user_attrs["place"] for trial in study.trials] == list(range(17))


def test_copies_of_killed_trials_do_not_count(study):
    fill_(study, DRAWN, DEFAULT)
    with quiet():
        optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.trials[0])
    assert len(fill_(study, DRAWN, DEFAULT)) == 6
    assert len(fill_(study, SearchConfig(trials=6), DEFAULT)) == 7
    assert study.trials[-1].user_attrs["place"] == 5


def test_a_place_is_used_once_also_beside_trials_of_a_user(study):
    fill_(study, DRAWN, DEFAULT)
    with quiet():
        optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.trials[0])
    study.enqueue_trial(PUBLISHED[1], {"source": "mine"})  # without a place: the sampler takes its number, 6
    fill_(study, SearchConfig(trials=9), DEFAULT)
    places = [trial.user_attrs.get("place", trial.number) for trial in study.trials if trial.number != 5]
    assert places == [0, 1, 2, 3, 4, 6, 7, 8, 9]


# ---- trials of killed processes


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


HOST = socket.gethostname()
WORKERS = {
    "killed": (lambda: f"{HOST}:{ended_process()}", True),
    "running": (lambda: f"{HOST}:{os.getpid()}", False),
    "on another machine": (lambda: f"other-{HOST}:{ended_process()}", False),
    "not named yet": (lambda: None, False),
    "of an unknown form": (lambda: HOST, False),
}


@pytest.mark.parametrize("worker", WORKERS)
def test_the_trial_of_a_killed_process_of_this_machine_waits_again(tmp_path, worker):
    storage = StudyStore(tmp_path).storage()
    study = optuna.create_study(study_name="s", storage=storage)
    fill(study, storage, GRID, [DEFAULT], SearchConfig(trials=3))
    make, is_put_back = WORKERS[worker]
    trial = claim(study, storage)
    if (name := make()) is not None:
        trial.set_user_attr("worker", name)
    trial.suggest_categorical("rate", (1, 2, 3, 4))
    put_back_killed(study, storage)
    assert (study.trials[0].state == TrialState.WAITING) == is_put_back
    assert len(study.trials) == 3
    if is_put_back:
        assert study.trials[0].params == {"rate": 2}, "what was drawn stays"
        assert claim(study, storage).number == 0
        put_back_killed(study, storage)
        assert study.trials[0].state == TrialState.RUNNING, "its new process is not named yet"


def test_a_trial_that_kills_its_process_is_put_back_twice(tmp_path):
    storage = StudyStore(tmp_path).storage()
    study = optuna.create_study(study_name="s", storage=storage)
    fill(study, storage, GRID, [DEFAULT], SearchConfig(trials=1))
    states = []
    for _ in range(3):
        claim(study, storage).set_user_attr("worker", f"{HOST}:{ended_process()}")
        put_back_killed(study, storage)
        states.append(study.trials[0].state)
    assert states == [TrialState.WAITING, TrialState.WAITING, TrialState.FAIL]
    assert failure_reason(study.trials[0]) == "its process was killed"


def test_points_that_were_drawn_are_not_tried_again_by_a_grid(study):
    study.add_trial(
        optuna.create_trial(
            value=1,
            params={"rate": 1, "objective": "info_nce"},
            distributions={
                name: optuna.distributions.CategoricalDistribution(GRID.dimensions[name].choices)
                for name in ("rate", "objective")
            },
            user_attrs={"source": "tpe"},
        )
    )
    fill(study, study._storage, GRID, [], ALL)
    assert len(study.trials) == GRID.grid_size


def test_nothing_is_enqueued_of_points_outside_or_without_a_grid(study):
    with pytest.raises(ValueError, match="rate is 7"):
        fill_(study, DRAWN, DEFAULT, ("published", {"rate": 7, "objective": "info_nce"}))
    with pytest.raises(ValueError, match="rate may be any real number"):
        fill_(study, ALL, space=RANGES)
    assert not study.trials


def test_what_broke_off_in_the_middle_is_filled_up(study, monkeypatch):
    enqueue = study.enqueue_trial

    def breaks(*arguments):
        if len(study.trials) == 3:
            raise KeyboardInterrupt
        enqueue(*arguments)

    monkeypatch.setattr(study, "enqueue_trial", breaks)
    with pytest.raises(KeyboardInterrupt):
        fill_(study, ALL, DEFAULT)
    monkeypatch.undo()
    assert fill_(study, ALL, DEFAULT) == ["default"] + ["grid"] * 11
    assert optuna.get_all_study_names(study._storage) == ["s"]


def test_the_lock_of_a_killed_process_is_taken_over(study, caplog):
    study._storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "s.lock")
    assert len(fill_(study, DRAWN, patience=0.3)) == 5
    assert "taking over the lock s.lock of a killed process" in caplog.text
    assert optuna.get_all_study_names(study._storage) == ["s"]


def test_who_has_lost_the_lock_begins_again(study, monkeypatch):
    enqueue, taken = study.enqueue_trial, []

    def is_overtaken(*arguments):
        if len(study.trials) == 2 and not taken:
            taken.append(True)
            study._storage.delete_study(study._storage.get_study_id_from_name("s.lock"))
            fill_(study, DRAWN, DEFAULT)  # the other process
        enqueue(*arguments)

    monkeypatch.setattr(study, "enqueue_trial", is_overtaken)
    # The one that is being enqueued when the lock is lost cannot be called back: no more than that.
    assert fill_(study, DRAWN, DEFAULT) == ["default"] + ["tpe"] * 5


def test_several_launchers_at_once_fill_it_once(tmp_path):
    store, problems = StudyStore(tmp_path), []
    optuna.create_study(study_name="s", storage=store.storage())
    start = threading.Barrier(3, timeout=60)  # breaks if a thread fails before it

    @quiet()
    def launch():
        try:
            storage = store.storage()
            study = optuna.load_study(study_name="s", storage=storage)
            start.wait()
            fill(study, storage, GRID, [DEFAULT], ALL)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=launch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    study = optuna.load_study(study_name="s", storage=store.storage())
    assert [source for source, _ in queued(study)] == ["default"] + ["grid"] * 11
    assert [trial.number for trial in study.trials] == list(range(12))


def test_the_trial_with_the_lowest_number_is_taken_after_a_sign_of_life(tmp_path, monkeypatch):
    storage, calls = StudyStore(tmp_path).storage(), []
    study = optuna.create_study(study_name="s", storage=storage)
    fill(study, storage, GRID, [DEFAULT], SearchConfig(trials=3))
    for name in ("record_heartbeat", "set_trial_state_values"):
        method = getattr(storage, name)
        monkeypatch.setattr(
            storage, name, lambda *a, name=name, method=method, **k: calls.append(name) or method(*a, **k)
        )
    assert [claim(study, storage).number for _ in range(3)] == [0, 1, 2]
    assert calls == ["record_heartbeat", "set_trial_state_values"] * 3
    assert claim(study, storage) is None
    assert {trial.state for trial in study.trials} == {TrialState.RUNNING}


def test_a_trial_that_another_has_just_taken_is_left_to_it(tmp_path, monkeypatch):
    storage = StudyStore(tmp_path).storage()
    study = optuna.create_study(study_name="s", storage=storage)
    fill(study, storage, GRID, [], SearchConfig(trials=2))
    take, taken = storage.set_trial_state_values, []

    def is_slower(trial, state):
        if not taken:
            taken.append(take(trial, state))
        return take(trial, state)

    monkeypatch.setattr(storage, "set_trial_state_values", is_slower)
    assert claim(study, storage).number == 1
    assert taken == [True]


def test_a_lock_that_shows_signs_of_life_is_waited_for(study, caplog, monkeypatch):
    """Time passes only while the process that waits sleeps. Then the process that holds the lock works."""
    now, lock = [0.0], queue._Lock(study._storage, "s", 0)

    def work(seconds):
        now[0] += seconds
        assert not study.trials
        if now[0] < 0.8:
            lock._beat()
        else:
            lock.release()

    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=work))
    lock.acquire()
    assert len(fill_(study, DRAWN, patience=0.3)) == 5
    assert now[0] >= 0.8
    assert "taking over" not in caplog.text


@pytest.mark.slow
def test_four_processes_take_each_of_two_hundred_trials_once(tmp_path):
    store, context = StudyStore(tmp_path), multiprocessing.get_context("spawn")
    study = optuna.create_study(study_name="s", storage=store.storage())
    fill(study, study._storage, GRID, [], SearchConfig(trials=200))
    start, logs = context.Barrier(4), [tmp_path / str(number) for number in range(4)]
    processes = [context.Process(target=claim_all, args=(store, start, log)) for log in logs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    taken = [json.loads(log.read_text()) for log in logs]
    assert sorted(number for numbers in taken for number in numbers) == list(range(200))
    assert all(taken)

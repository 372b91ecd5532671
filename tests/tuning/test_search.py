"""Whole searches: in this process, in several, and with some of them killed."""

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.results import trials_table
from cloome_kedro.tuning.search import Question, search
from cloome_kedro.tuning.store import StudyStore
from tuning_objectives import GRID, RANGES, Recorded, value_of

DEFAULT = ("default", {"rate": 2, "objective": "info_nce"})
IDENTITY = {"data": "a" * 64, "seed": "0"}
EVERY = SearchConfig(sampler="grid", trials=None, pruner="none", heartbeat_seconds=2)


@pytest.fixture
def store(tmp_path):
    return StudyStore(tmp_path / "study")


@pytest.fixture
def objective(tmp_path):
    return Recorded(tmp_path / "log")


def search_(store, objective, config=EVERY, first=(DEFAULT,), identity=IDENTITY, name="s"):
    return search(store, name, Question(GRID, first, objective, identity), config)


def as_set(points):
    return {json.dumps(point) for point in points}


def test_a_search_ends_and_is_not_repeated_but_goes_on_when_more_is_asked_for(store, objective, capsys):
    few = SearchConfig(trials=2, sampler="random")
    study = search_(store, objective, few)
    assert objective.tried[0] == DEFAULT[1]
    assert len(objective.tried) == 2
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert not store.trials("s").exists()
    assert "2/2" in capsys.readouterr().err

    assert len(search_(store, objective, few).trials) == 2
    assert len(objective.tried) == 2
    study = search_(store, objective, SearchConfig(trials=4, sampler="random"))
    assert len(study.trials) == len(objective.tried) == 4
    assert study.best_value == max(map(value_of, objective.tried)) * 2
    assert trials_table(study)["best"].sum() == 1


def test_a_study_of_other_data_is_not_gone_on_with(store, objective):
    few = SearchConfig(trials=1)
    search_(store, objective, few)
    with pytest.raises(ValueError, match=r"study 's' in sqlite:.* cannot continue") as refused:
        search_(store, objective, few, identity={"data": "b" * 64, "split": "random", "seed": "0"})
    for part in ("data was aaaa", "is bbbb", "split was not set, is random", "tuning.study", "optuna delete-study"):
        assert part in str(refused.value)
    assert "seed" not in str(refused.value)
    assert "a" * 60 not in str(refused.value)
    assert len(search_(store, objective, few, identity={"data": "b"}, name="other").trials) == 1
    assert len(objective.tried) == 2


def test_a_search_in_which_all_fails_says_why(store, tmp_path):
    with pytest.raises(RuntimeError, match=r"'s': no trial is complete. Reasons: RuntimeError: out of memory"):
        search_(store, Recorded(tmp_path / "log", fails_at=(1, 2, 3, 4)), SearchConfig(trials=2))


def test_an_interrupted_search_goes_on(store, objective):
    def interrupted(point, folder, report):
        if len(objective.tried) == 1:
            raise KeyboardInterrupt
        return objective(point, folder, report)

    few = SearchConfig(trials=3)
    with pytest.raises(KeyboardInterrupt):
        search_(store, interrupted, few)
    study = search_(store, objective, few)
    assert len(study.trials) == len(objective.tried) == 3


def launch(store, objective, config=EVERY):
    arguments = (store, "s", Question(GRID, [DEFAULT], objective, IDENTITY), config)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job in the background, whose processes inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = multiprocessing.get_context("spawn").Process(target=search, args=arguments)
    process.start()
    return process


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_on_one_study_try_every_point_once(store, tmp_path):
    """Launched at once, before there is a database."""
    objective = Recorded(tmp_path / "log", seconds=0.2)
    processes = [launch(store, objective) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(objective.tried) == GRID.grid_size
    assert as_set(objective.tried) == as_set(GRID.grid())
    assert {process for process, _, _ in objective.lines} == {process.pid for process in processes}
    study = search_(store, objective)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * GRID.grid_size


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_is_run_again_by_the_other(store, tmp_path, caplog):
    killed = GRID.grid()[4]
    objective = Recorded(tmp_path / "log", seconds=0.1, killed_at=killed)
    study = search_(store, objective, SearchConfig(**{**vars(EVERY), "workers": 2}))
    table = trials_table(study).set_index("number")
    assert as_set(objective.tried) == as_set(GRID.grid())
    assert len(objective.tried) == len(table) == GRID.grid_size + 1
    (lost,) = table.index[table["state"] == "FAIL"]
    assert table.loc[lost, "reason"] == "its process was killed"
    again = table.loc[table["retry_of"] == lost].iloc[0]
    assert (again["state"], again["value"]) == ("COMPLETE", value_of(killed) * 2)
    found = [files for _, point, files in objective.lines if point == killed]
    assert found == [[], ["state"]]  # where the killed one had left off
    assert "died with exit code -9; 1 workers continue" in caplog.text


@pytest.mark.slow
def test_a_point_that_kills_is_given_up_after_two_more_attempts(store, tmp_path):
    killing = GRID.grid()[1]
    objective = Recorded(tmp_path / "log", killed_at=killing, kills=9)
    with pytest.raises(
        RuntimeError, match=r"all workers have died, .* trials are unfinished. Run the same command again to continue"
    ):
        search_(store, objective, SearchConfig(**{**vars(EVERY), "workers": 2}))
    study = search_(store, objective, SearchConfig(**{**vars(EVERY), "workers": 2}))
    assert objective.tried.count(killing) == 3
    states = trials_table(study)["state"].value_counts().to_dict()
    # Two workers of the first search and one of the second. The second search puts the trial back at its start.
    assert states == {"COMPLETE": GRID.grid_size - 1, "FAIL": 2}
    assert not store.trials("s").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_ends_its_workers_and_their_trials_wait(store, tmp_path, number):
    objective = Recorded(tmp_path / "log", seconds=60)
    parent = launch(store, objective, SearchConfig(**{**vars(EVERY), "workers": 2}))
    wait_for(lambda: len(objective.tried) == 2)
    workers = [process for process, _, _ in objective.lines]
    os.kill(parent.pid, number)
    parent.join(30)
    assert parent.exitcode == (128 + number if number == signal.SIGTERM else 1)
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    with sqlite3.connect(store.folder / "study.db") as database:
        assert database.execute("SELECT state, count(*) FROM trials GROUP BY state").fetchall() == [
            ("WAITING", GRID.grid_size)
        ]
    objective = Recorded(tmp_path / "log")
    study = search_(store, objective)
    assert len(study.trials) == GRID.grid_size
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("trial", [1, 6, 9])
def test_a_killed_search_draws_what_it_would_have_drawn(store, tmp_path, sampler, trial):
    config = SearchConfig(sampler=sampler, trials=12, startup_trials=3, heartbeat_seconds=60)
    question = Question(RANGES, [("default", {"rate": 0.1, "objective": "info_nce"})], None, IDENTITY)
    undisturbed = Recorded(tmp_path / "undisturbed")
    search(store, "whole", replace(question, objective=undisturbed), config)
    objective = Recorded(tmp_path / "log", killed_at=undisturbed.tried[trial])
    arguments = (store, "s", replace(question, objective=objective), config)
    process = multiprocessing.get_context("spawn").Process(target=search, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(objective.tried) == trial + 1
    study = search(*arguments)
    expected = undisturbed.tried
    assert objective.tried == [*expected[: trial + 1], *expected[trial:]]
    assert [t.params for t in study.trials] == [t.params for t in store_study(store, "whole").trials]
    assert {t.state for t in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


def store_study(store, name):
    return optuna.load_study(study_name=name, storage=store.storage())

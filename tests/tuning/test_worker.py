"""One worker: how a trial ends, and what is left of it."""

import os
import pickle
import signal
import threading
import time
import traceback

import optuna
import pytest
from optuna.trial import TrialState

from cloome_kedro.signals import ended_by_sigterm
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.queue import claim, fill
from cloome_kedro.tuning.store import StudyStore
from cloome_kedro.tuning.worker import Outcome, TrialReport, _heartbeat, run_trial, work
from tuning_objectives import GRID, Recorded, searched

CONFIG = SearchConfig(trials=3, sampler="random", startup_trials=1, warmup_epochs=1)
FIRST = [("published", {"rate": rate, "objective": "info_nce"}) for rate in (2, 4, 1)]


class Work:
    """A study with its queue filled, and trials run one at a time."""

    def __init__(self, store, name, first=FIRST):
        self.store, self.name = store, name
        optuna.create_study(study_name=name, storage=store.database, direction="maximize")
        self.study = self.search(None).open()
        fill(self.study, self.study._storage, GRID, first, CONFIG)

    def search(self, objective):
        return searched(self.store, objective, CONFIG, self.name)

    def run(self, objective):
        run_trial(self.search(objective), self.study, claim(self.study, self.study._storage))

    def all(self, objective):
        work(self.search(objective), self.study)
        return self.trials

    @property
    def trials(self):
        return self.study.trials

    @property
    def left(self):
        return sorted(path for path in self.store.trials(self.study.study_name).glob("*/*"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = StudyStore(tmp_path_factory.mktemp("study"))
    store.storage()
    return store


@pytest.fixture
def worker(store, tmp_path):
    return Work(store, tmp_path.name)


def test_a_trial_that_raises_is_recorded_and_the_study_goes_on(worker, tmp_path, caplog):
    failed, *others = worker.all(Recorded(tmp_path / "log", fails_at=(2,)))
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs["reason"] == "RuntimeError: out of memory"
    (warned,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert warned.getMessage() == "trial 0 failed: RuntimeError: out of memory"
    assert warned.exc_info is None
    assert TrialState.FAIL not in {trial.state for trial in others}
    assert all(trial.user_attrs["seconds"] >= 0 for trial in worker.trials)
    assert {trial.user_attrs["worker"].rpartition(":")[2] for trial in worker.trials} == {str(os.getpid())}
    assert worker.left == []


def test_the_reason_of_another_process_is_that_of_its_error(worker):
    """As torch.multiprocessing passes it on from several devices."""

    def fails(point, folder, report):
        try:
            raise FloatingPointError("the loss is nan\nand where")
        except FloatingPointError:
            raise RuntimeError(
                f"\n\n-- Process 0 terminated with the following error:\n{traceback.format_exc()}"
            ) from None

    worker.run(fails)
    assert worker.trials[0].user_attrs["reason"] == "FloatingPointError: the loss is nan"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_a_failure(worker, value):
    worker.run(lambda point, folder, report: Outcome(value, False, {}))
    assert worker.trials[0].state == TrialState.FAIL
    assert worker.trials[0].user_attrs["reason"] == f"ValueError: the value is {value}"


def test_a_trial_below_the_median_is_pruned_after_the_warm_up(worker, tmp_path):
    first, second, third = worker.all(Recorded(tmp_path / "log"))
    assert [first.value, second.value] == [4, 8]
    assert third.state == TrialState.PRUNED
    assert third.intermediate_values == {0: 1.0, 1: 2.0}  # in epoch 0 it is the worst, too
    assert third.value == 2.0
    assert third.user_attrs["epoch"] == 1


def test_the_default_is_never_pruned(store, tmp_path):
    worker = Work(store, tmp_path.name, first=[*FIRST[:2], ("default", FIRST[2][1])])
    assert [trial.state for trial in worker.all(Recorded(tmp_path / "log"))] == [TrialState.COMPLETE] * 3


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_trial_waits_again_and_goes_on_where_it_was(worker, tmp_path, stop):
    recorded = Recorded(tmp_path / "log")

    def interrupted(point, folder, report):
        recorded(point, folder, report)
        raise stop

    with pytest.raises(stop):
        worker.run(interrupted)
    assert [trial.state for trial in worker.trials] == [TrialState.WAITING] * 3
    assert [path.name for path in worker.left] == ["state"]
    first, *_ = worker.all(recorded)
    assert (first.state, first.value) == (TrialState.COMPLETE, 4)
    tried = [(point, found) for _, point, found in recorded.lines]
    assert tried[:2] == [(FIRST[0][1], []), (FIRST[0][1], ["state"])]
    assert (len(tried), len(worker.trials), worker.left) == (4, 3, [])


def test_sigterm_gives_the_trial_back_and_ends_the_process(worker):
    def terminated(point, folder, report):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        worker.run(terminated)
    assert end.value.code == 128 + signal.SIGTERM
    assert worker.trials[0].state == TrialState.WAITING
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_trial_given_to_another_is_left_alone(worker, tmp_path, caplog):
    recorded = Recorded(tmp_path / "log")

    def slept(point, folder, report):
        worker.study._storage.set_trial_state_values(worker.trials[0]._trial_id, TrialState.FAIL)
        return recorded(point, folder, report)

    worker.run(slept)
    assert "trial 0 had no heartbeat and was given to another worker" in caplog.text
    assert (worker.trials[0].state, worker.trials[0].user_attrs.get("reason")) == (TrialState.FAIL, None)
    assert len(worker.left) == 1
    worker.run(lambda *_: slept_to_the_end(worker))
    assert (worker.trials[1].state, worker.trials[1].value) == (TrialState.FAIL, None)


def slept_to_the_end(worker):
    worker.study._storage.set_trial_state_values(worker.trials[1]._trial_id, TrialState.FAIL)
    return Outcome(1.0, False, {})


def test_an_epoch_told_again_is_judged_as_if_it_were_the_last(worker, tmp_path):
    worker.run(Recorded(tmp_path / "log"))
    trial = claim(worker.study, worker.study._storage)
    report = TrialReport(worker.search(None), trial._trial_id)
    assert [report(0, 0.1), report(1, 0.2)] == [False, True]
    assert [report(0, 0.1), report(1, 0.2)] == [False, True]
    assert worker.trials[1].intermediate_values == {0: 0.1, 1: 0.2}


def test_a_report_can_be_sent_to_another_process(worker):
    trial = claim(worker.study, worker.study._storage)
    report = TrialReport(worker.search(None), trial._trial_id, worker.study)
    sent = pickle.loads(pickle.dumps(report))
    assert sent.study is None
    assert not sent(0, 0.25)
    assert worker.trials[0].intermediate_values == {0: 0.25}


def test_heartbeats_go_on_after_an_error_of_the_database(caplog):
    class Storage:
        beats, goes_on = 0, threading.Event()

        def record_heartbeat(self, trial):
            self.beats += 1
            if self.beats == 2:
                raise OSError("no connection")
            if self.beats == 4:
                self.goes_on.set()

    storage = Storage()
    with _heartbeat(storage, 3, 0.01):
        assert storage.goes_on.wait(60)
    assert "the heartbeat of trial 3 could not be recorded: no connection" in caplog.text
    beats = storage.beats
    time.sleep(0.05)
    assert storage.beats == beats

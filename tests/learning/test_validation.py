"""Metrics of downstream tasks in a training, and reports that can end it."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.fit import _digest
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import TaskMetric, Validation, validation_row
from planted import ARCHITECTURE, CONFIG, IMAGES, Planted, fresh, top1
from step_gradients import Sigmoid

pytestmark = pytest.mark.usefixtures("one_thread")
HELPERS = Path(__file__).parents[1] / "helpers"
SHORT = replace(CONFIG, epochs=4, batch_size=32, checkpoint_steps=1)
TRAIN = np.arange(64)


@pytest.fixture
def state(tmp_path):
    return FitState(tmp_path / "state")


def task(values, name="task", fields=(70, 3)):
    values = iter(values)
    return TaskMetric(name, np.array(fields), lambda _: next(values))


class Reports:
    """Remembers the epochs that it is given, and ends training after one of them."""

    def __init__(self, last=None):
        self.epochs, self.last = [], last

    def __call__(self, row):
        self.epochs.append(row["epoch"])
        return np.bool_(row["epoch"] == self.last)


@pytest.mark.parametrize("batch_size", [8, 64])
def test_the_loss_is_the_mean_over_batches_of_validation_pairs(batch_size):
    planted, objective = Planted(), Sigmoid()
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, scalars=objective.scalars))
    fabric, validation = Fabric(accelerator="cpu", devices=1), Validation(top1)
    data = planted.data()
    row = validation_row(fabric, model, data, objective, replace(CONFIG, batch_size=batch_size), validation)
    embed = Embedder(model, progress=False)
    fields = embed("field", planted.read, data.validation, IMAGES)
    compounds = embed("compound", data.compound.rows.read, data.validation, data.compound.view)
    losses = []
    for start in range(0, 64, batch_size):
        part = slice(start, start + batch_size)
        logits = 14.3 * fields[part].astype(float) @ compounds[part].T.astype(float) - 2
        signs = 2 * np.eye(batch_size) - 1
        losses.append(np.log1p(np.exp(-signs * logits)).sum() / batch_size)
    assert row["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert row["validation_top1"] == top1(fields, compounds)["top1"]


def test_a_task_gets_the_embeddings_of_its_fields_and_each_field_is_read_once(state):
    planted, found = Planted(), {}
    validation = planted.data().validation
    fields = {"one": np.array([70, validation[2], 3, 3]), "two": np.array([3, 300])}
    tasks = [
        TaskMetric(name, positions, lambda vectors, name=name: found.setdefault(name, vectors)[0, 0])
        for name, positions in fields.items()
    ]
    read, reads = planted.read, []

    def counts(indices):
        reads.extend(indices.tolist())
        return read(indices)

    planted.read = counts
    result = planted.fit(state, replace(SHORT, epochs=1, keep=("loss",)), tasks=tasks, train=TRAIN)
    assert sorted(reads) == sorted([*TRAIN, *{*validation, *fields["one"], *fields["two"]}])
    trained = fresh()
    trained.load_state_dict(result.best["loss"].tensors)
    for name, positions in fields.items():
        expected = Embedder(trained, progress=False)("field", Planted().read, positions, IMAGES)
        np.testing.assert_allclose(found[name], expected, atol=1e-5)
        assert result.history[0][f"validation_{name}"] == found[name][0, 0]


def test_tasks_change_nothing_but_what_is_kept(tmp_path):
    plain, measured = (
        Planted().fit(FitState(tmp_path / str(len(tasks))), replace(SHORT, epochs=2), tasks=tasks, train=TRAIN)
        for tasks in ([], [task([0.1, 0.2])])
    )
    for row, other in zip(plain.history, measured.history, strict=True):
        assert {name: row[name] for name in row if name.startswith("validation_")}.items() <= other.items()
    assert [row["validation_task"] for row in measured.history] == [0.1, 0.2]
    before, after = plain.best["top1"].tensors, measured.best["top1"].tensors
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_epoch_is_kept_by_a_task(state):
    config = replace(SHORT, keep=("task", "loss"), patience=2)
    result = Planted().fit(state, config, tasks=[task([0.1, 0.5, 0.3, 0.2])], train=TRAIN)
    assert result.best["task"].epoch == 1
    assert len(result.history) == 4


def test_a_task_that_is_not_a_number_cannot_be_kept_by(tmp_path):
    result = Planted().fit(FitState(tmp_path / "beside"), replace(SHORT, epochs=1), tasks=[task([math.nan])])
    assert math.isnan(result.history[0]["validation_task"])
    with pytest.raises(ValueError, match="task cannot be measured"):
        Planted().fit(FitState(tmp_path / "by"), replace(SHORT, keep=("task",)), tasks=[task([math.nan])], train=TRAIN)
    with pytest.raises(ValueError, match="no validation metric 'other'; choose from loss, top1, task"):
        Planted().fit(FitState(tmp_path / "by"), replace(SHORT, keep=("other",)), tasks=[task([])])


def test_tasks_tell_trainings_apart_and_without_any_nothing_changes():
    arguments = fresh(), Planted().data(), Recipe(InfoNCE(), CONFIG, 0)
    several = [(), [task([])], [task([], "other")], [task([], fields=(70, 4))], [task([]), task([], "other")]]
    digests = [_digest(*arguments, Validation(top1, tasks)) for tasks in several]
    assert digests[0] == _digest(*arguments, Validation(top1, report=lambda row: False))
    assert len(set(digests)) == len(several)


def test_a_report_ends_training(state):
    reports = Reports(last=1)
    result = Planted().fit(state, SHORT, report=reports, train=TRAIN)
    assert result.stopped
    assert reports.epochs == [0, 1] == [row["epoch"] for row in result.history]

    planted, again = Planted(), Reports()
    result = planted.fit(state, SHORT, report=again, train=TRAIN)
    assert result.stopped, "it has ended, whatever is answered now"
    assert again.epochs == [0, 1]
    assert not planted.seen

    whole = Planted().fit(state, SHORT, train=TRAIN)
    assert not whole.stopped
    assert len(whole.history) == 4, "without a report the training is wanted in full"


def test_a_report_of_the_last_epoch_ends_nothing(state):
    reports = Reports(last=3)
    assert not Planted().fit(state, SHORT, report=reports, train=TRAIN).stopped
    assert reports.epochs == [0, 1, 2, 3]


@pytest.mark.parametrize("last", [None, 1])
def test_epochs_before_an_interruption_are_reported_again(last, state):
    class Killed(Exception):
        pass

    def fails(row):
        if row["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        Planted().fit(state, SHORT, report=fails, train=TRAIN)
    reports = Reports(last)
    result = Planted().fit(state, SHORT, report=reports, train=TRAIN)
    assert reports.epochs == ([0, 1, 2, 3] if last is None else [0, 1])
    assert result.stopped == (last is not None)
    assert len(result.history) == (4 if last is None else 2)


@pytest.mark.slow
def test_two_devices_stop_together(state, tmp_path):
    reported, script = tmp_path / "reported", tmp_path / "train.py"
    script.write_text(
        "import sys, json\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(HELPERS)!r})\n"
        "import torch\n"
        "from cloome_kedro.learning.state import FitState\n"
        "from planted import CONFIG, Planted, StopsAtEpochOne\n"
        "if __name__ == '__main__':\n"
        "    torch.set_num_threads(1)\n"
        "    config = replace(CONFIG, devices=2, epochs=6)\n"
        f"    state, report = FitState(Path({str(state.folder)!r})), StopsAtEpochOne({str(reported)!r})\n"
        "    result = Planted().fit(state, config, report=report)\n"
        "    print(json.dumps([result.stopped, len(result.history)]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, 2]
    assert reported.read_text().split() == ["0", "1"]

"""A training that is stopped, and goes on: by an error, by signals, by SIGKILL."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.encoders.torchvision_resnet import ResNet50
from cloome_kedro.learning.fit import _digest
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation
from planted import ARCHITECTURE, CONFIG, IMAGES, Planted, fresh, top1

pytestmark = pytest.mark.usefixtures("one_thread")
HELPERS = Path(__file__).parents[1] / "helpers"
SHORT = replace(CONFIG, epochs=3, checkpoint_steps=3, keep=("top1", "loss"))


@pytest.fixture
def state(tmp_path):
    return FitState(tmp_path / "state")


@pytest.fixture(scope="module")
def undisturbed(one_thread, tmp_path_factory):
    return Planted().fit(FitState(tmp_path_factory.mktemp("state")), SHORT)


def assert_equal(result, expected):
    timing = {"fields_per_second", "waiting_fraction"}
    for row, other in zip(result.history, expected.history, strict=True):
        assert {k: v for k, v in row.items() if k not in timing} == {k: v for k, v in other.items() if k not in timing}
    assert set(result.best) == set(expected.best)
    for metric, best in expected.best.items():
        assert result.best[metric].epoch == best.epoch
        assert all(torch.equal(result.best[metric].tensors[name], tensor) for name, tensor in best.tensors.items())


class Stopped(Exception):
    pass


@pytest.mark.parametrize("step", [0, 4, 8, 15, 23])
def test_goes_on_bit_by_bit_from_wherever_it_broke_off(step, state, undisturbed):
    """Broken off while the batch of a step is read: the state is up to two steps older, or there is none yet."""
    planted, batches = Planted(), []
    read = planted.read

    def fails(indices):
        batches.append(indices)
        if len(indices) == CONFIG.batch_size and len(batches) > step:
            raise Stopped
        return read(indices)

    planted.read = fails
    with pytest.raises(Stopped):
        planted.fit(state, SHORT)
    again = Planted()
    assert_equal(again.fit(state, SHORT), undisturbed)


def test_an_ended_training_is_not_repeated(state, undisturbed):
    Planted().fit(state, SHORT)
    planted = Planted()
    assert_equal(planted.fit(state, SHORT), undisturbed)
    assert not planted.seen


@pytest.mark.parametrize("change", ["config", "seed", "objective", "labels", "crop", "fields", "fingerprints"])
def test_other_arguments_begin_anew(change, state):
    config = replace(SHORT, epochs=1)
    Planted().fit(state, config)
    planted = Planted()
    if change == "fingerprints":
        planted.fingerprints = planted.fingerprints[::-1].copy()
    images = replace(IMAGES, crop=30) if change == "crop" else IMAGES
    planted.fit(
        state,
        replace(config, weight_decay=0.2) if change == "config" else config,
        seed=int(change == "seed"),
        objective=InfoLOOB() if change == "objective" else InfoNCE(),
        identity="other labels" if change == "labels" else "",
        field=planted.data(images, identity="other fields" if change == "fields" else "").field,
    )
    assert planted.seen
    assert len(list(state.folder.iterdir())) == 1  # results of the training before are gone


def digest(model=None, seed=0, **changes):
    return _digest(model or fresh(), Planted().data(**changes), Recipe(InfoNCE(), CONFIG, seed), Validation(top1))


def test_all_that_a_training_depends_on_is_in_its_digest():
    whole = Planted().data()
    others = [
        digest(seed=1),
        digest(fresh(1)),
        digest(train=whole.train[1:]),
        digest(validation=whole.validation[1:]),
        digest(units=whole.units[::-1].copy()),
        digest(identity="other fields"),
        digest(images=replace(IMAGES, crop=30)),
    ]
    assert len({digest(), *others}) == 1 + len(others)
    assert digest() == digest(keys=np.char.add(whole.keys, " of another name"))


def test_a_state_with_other_crops_is_refused(state, caplog):
    """A state that an earlier version saved for the same settings. Those without crops stay valid."""
    planted, config, images = Planted(), replace(SHORT, epochs=1), replace(IMAGES, crop=30)
    recipe = Recipe(InfoNCE(), config, 0)
    earlier = _digest(fresh(), planted.data(images), recipe, Validation(top1), versions_of_views=False)
    assert earlier != _digest(fresh(), planted.data(images), recipe, Validation(top1))
    without_crop = fresh(), planted.data(), recipe, Validation(top1)
    assert _digest(*without_crop) == _digest(*without_crop, versions_of_views=False)
    state.save(earlier, {"model": {}, "optimizer": {}, "precision": {}, "progress": {}})
    result = planted.fit(state, config, images=images)
    [message] = [record.getMessage() for record in caplog.records if "earlier version" in record.getMessage()]
    assert message.startswith(f"{state.folder / earlier}.pt is of an earlier version, which drew other random crops")
    caplog.clear()
    assert_equal(planted.fit(state, config, images=images), result)
    assert "earlier version" not in caplog.text, "a finished training is used without a word"


@pytest.mark.parametrize("scale", [None, (0.5, 1.0)])
def test_crops_are_the_same_after_an_interruption(state, tmp_path, scale):
    images, config = replace(IMAGES, crop=30, resized_crop_scale=scale), replace(SHORT, epochs=1, checkpoint_steps=2)
    expected = Planted().fit(FitState(tmp_path / "other"), replace(config, micro_batch_size=17), images=images)
    planted = Planted()
    read = planted.read

    def breaks_off(rows):
        if (state.folder / "stop").exists() or any(state.folder.glob("*.pt")):
            raise Stopped
        return read(rows)

    planted.read = breaks_off
    with pytest.raises(Stopped):
        planted.fit(state, replace(config, micro_batch_size=17), images=images)
    planted.read = read
    assert_equal(planted.fit(state, replace(config, micro_batch_size=17), images=images), expected)


def test_architectures_of_equal_tensors_are_told_apart():
    """The published ResNet and torchvision's ResNet-50 differ in strides alone."""
    architectures = [replace(ARCHITECTURE, field=encoder) for encoder in (ResNet(), ResNet50())]
    digests, shapes = set(), []
    for architecture in [*architectures, replace(architectures[0], normalise=False)]:
        with torch.device("meta"):
            model = PairModel(architecture)
        shapes.append({name: tensor.shape for name, tensor in model.state_dict().items()})
        model.load_state_dict({name: torch.zeros(shape) for name, shape in shapes[-1].items()}, assign=True)
        digests.add(digest(model))
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(digests) == 3


def test_what_a_killed_or_a_failed_run_left_goes_with_the_end(state):
    state.save("abc", {"step": 3})
    state.fail({"step": 3})
    of_others = {state.folder / ".def.1.part.pt", state.folder / "def.pt"}
    for path in {state.folder / ".abc.1.part.pt", *of_others}:
        path.write_bytes(b"half")
    state.finish("abc", {"history": []})
    assert set(state.folder.iterdir()) == {state.folder / "abc.done.pt", *of_others}


def test_processes_that_save_at_once_leave_a_whole_state(state):
    """One that outlives a killed run, and the next."""
    saves = (
        "import sys, pathlib, torch; from cloome_kedro.learning.state import FitState; "
        "state = FitState(pathlib.Path(sys.argv[1])); "
        "entries = dict.fromkeys(('model', 'optimizer', 'precision'), {}); "
        "[state.save('abc', {**entries, 'progress': torch.full((300_000,), float(i))}) for i in range(60)]"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", saves, str(state.folder)], stderr=subprocess.PIPE) for _ in range(2)
    ]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert state.unfinished("abc")["progress"].unique().tolist() == [59.0]
    assert [path.name for path in state.folder.iterdir()] == ["abc.pt"]


def test_housekeeping_does_not_begin_anew(state):
    Planted().fit(state, SHORT)
    planted = Planted()
    planted.fit(state, replace(SHORT, checkpoint_steps=1, checkpoint_minutes=1.0))
    assert not planted.seen


def test_a_state_that_cannot_be_read_begins_anew(state, undisturbed, caplog):
    Planted().fit(state, SHORT)
    (path,) = state.folder.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    assert_equal(Planted().fit(state, SHORT), undisturbed)
    assert "cannot be read" in caplog.text


def test_a_state_that_would_execute_code_is_not_read(state, caplog):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(state.folder / "executed"),)

    state.folder.mkdir()
    torch.save({"model": Evil()}, state.folder / "abc.pt")
    assert state.unfinished("abc") is None
    assert not (state.folder / "executed").exists()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_signals_save_first(number, expected, state, undisturbed):
    config = replace(SHORT, checkpoint_steps=None, checkpoint_minutes=None)
    planted, reads = Planted(), []
    read = planted.read

    def signals(indices):
        reads.append(indices)
        if len(reads) == 12:
            os.kill(os.getpid(), number)
        return read(indices)

    planted.read = signals
    before = signal.getsignal(number)
    with pytest.raises(expected):
        planted.fit(state, config)
    assert signal.getsignal(number) is before
    (path,) = state.folder.iterdir()
    step = torch.load(path, weights_only=True)["progress"]["step"]
    assert 8 <= step <= 12
    assert_equal(Planted().fit(state, config), undisturbed)


def test_a_signal_in_the_last_epoch_keeps_the_results(state, undisturbed):
    planted, measured = Planted(), []

    def signals(fields, compounds):
        measured.append(len(fields))
        if len(measured) == 1 + SHORT.epochs:  # the first call asks which metrics there are
            os.kill(os.getpid(), signal.SIGTERM)
        return top1(fields, compounds)

    with pytest.raises(SystemExit):
        planted.fit(state, SHORT, measure=signals)
    again = Planted()
    assert_equal(again.fit(state, SHORT), undisturbed)
    assert not again.seen


def test_trains_in_a_thread_where_no_signal_can_be_caught(state):
    thread = threading.Thread(target=Planted().fit, args=(state, replace(SHORT, epochs=1)))
    thread.start()
    thread.join()
    assert list(state.folder.glob("*.done.pt"))


def test_a_loss_that_is_not_finite_stops_with_its_batch_and_keeps_the_last_state(state):
    planted = Planted()
    config = replace(SHORT, learning_rate=1e30, warmup_steps=2, checkpoint_steps=1)
    with pytest.raises(FloatingPointError, match=r"at step \d+ \(epoch 0\), learning rate .*\n.*failure.json"):
        planted.fit(state, config)
    failure = json.loads((state.folder / "failure.json").read_text())
    assert failure["epoch"] == 0
    assert failure["learning_rate"] == pytest.approx(1e30 * min(failure["step"], 2) / 2, rel=0.01)
    assert len(failure["batch"]) == CONFIG.batch_size
    assert failure["batch"][0].startswith("field ")
    (kept,) = state.folder.glob("*.pt")
    saved = torch.load(kept, weights_only=True)
    assert saved["progress"]["step"] == failure["step"]  # the state before the step that failed


def test_embeddings_that_are_not_finite_after_the_last_step_stop_too(state):
    planted = Planted()
    config = replace(CONFIG, learning_rate=1e37, warmup_steps=0, batch_size=256, epochs=1)
    # The loss of the only step is that of the weights before it.
    with pytest.raises(FloatingPointError, match="embeddings of the validation fold are not finite"):
        planted.fit(state, config, train=planted.data().train[:256])


def script(tmp_path, state, **changes) -> list[str]:
    """A training in a process of its own; two devices import the script, hence its guard."""
    path = tmp_path / "train.py"
    path.write_text(
        "import sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(HELPERS)!r})\n"
        "import torch\n"
        "from cloome_kedro.learning.state import FitState\n"
        "from planted import CONFIG, Planted\n"
        "if __name__ == '__main__':\n"
        "    torch.set_num_threads(1)\n"
        f"    config = replace(CONFIG, **{changes!r})\n"
        "    print('ready', flush=True)\n"
        f"    Planted().fit(FitState(Path({str(state.folder)!r})), config)\n"
    )
    return [sys.executable, str(path)]


@pytest.mark.slow
def test_goes_on_bit_by_bit_after_sigkill(state, undisturbed, tmp_path):
    """Killed again and again, at whatever moment, until it ends."""
    command = script(tmp_path, state, epochs=3, checkpoint_steps=3, keep=("top1", "loss"))
    kills, delays = 0, [0.0, 0.35, 0.5, 0.7, 0.9]
    for delay in [*delays, None]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        if delay is not None:
            time.sleep(delay)
            if process.poll() is None:
                process.kill()
                kills += 1
        process.wait()
    assert process.returncode == 0
    assert kills >= 2
    planted = Planted()
    assert_equal(planted.fit(state, SHORT), undisturbed)
    assert not planted.seen  # the results were there


@pytest.mark.slow
def test_two_devices_stop_together_and_go_on(state, tmp_path):
    command = script(tmp_path, state, devices=2, epochs=30, checkpoint_minutes=None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    seen = b""
    while not re.search(rb" [1-9]\d*/240 ", seen) and process.poll() is None:  # the progress bar of rank 0
        seen += os.read(process.stderr.fileno(), 4096)
    process.terminate()
    process.wait()
    assert process.returncode != 0
    deadline = time.monotonic() + 60  # the processes of the devices outlive it for the step that they are in
    while not (found := list(state.folder.glob("[!.]*.pt"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(found) == 1
    assert 0 < torch.load(found[0], weights_only=True)["progress"]["step"] < 240

    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = state.folder.iterdir()
    results = torch.load(path, weights_only=True)
    assert path.name.endswith(".done.pt")
    assert [row["epoch"] for row in results["history"]] == list(range(30))
    assert max(row["validation_top1"] for row in results["history"]) > 0.25  # chance is 1 / 64

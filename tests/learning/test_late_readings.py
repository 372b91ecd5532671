"""A training step never waits for the device: its numbers are read some steps late, in one go."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.profiler import ProfilerActivity, profile

from cloome_kedro.learning import readings, staging
from cloome_kedro.learning.loop import Recipe, Training
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.readings import LateReadings
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation
from planted import CONFIG, IMAGES, Planted, fresh, top1

pytestmark = pytest.mark.usefixtures("one_thread")
CROPPED = replace(IMAGES, crop=30)
AUGMENTED = replace(IMAGES, crop=30, flips=True, intensity_jitter=0.2, cutout=0.3)
#: operations that make the CPU wait for numbers of a GPU
READS = ("aten::_local_scalar_dense", "aten::item", "aten::nonzero", "aten::is_nonzero", "aten::equal")

#: operations that take single images from a batch, or join them: a loop over images needs more of them for more images
PARTS = tuple(f"aten::{name}" for name in ("select", "slice", "unbind", "narrow", "index", "stack", "cat", "flip"))


@dataclass(frozen=True)
class NaNLater(InfoNCE):
    """InfoNCE whose loss is not a number from a step on, counted over all losses of the training."""

    calls: tuple = ()
    first: int = 10**9

    def loss(self, **sets):
        self.calls[0].append(len(self.calls[0]))
        return super().loss(**sets) * (float("nan") if self.calls[0][-1] >= self.first else 1.0)


def started(folder, data, **settings) -> Training:
    """A training of the planted pairs that has not made a step."""
    return Training(
        Fabric(accelerator="cpu", devices=1),
        fresh(),
        data=data,
        recipe=Recipe(InfoNCE(), replace(CONFIG, **settings), seed=0),
        validation=Validation(top1),
        state=FitState(folder),
        digest="digest",
        progress=False,
    )


def in_optimizer(event) -> bool:
    while event is not None:
        if event.name.startswith("Optimizer.step"):
            return True
        event = event.cpu_parent
    return False


def operations(tmp_path, batch_size, steps=3, **settings) -> tuple[list[Counter], Counter]:
    """Operations of torch in each of a few steps after the first, and in the reading of all numbers after them."""
    training = started(tmp_path, Planted().data(AUGMENTED), batch_size=batch_size, epochs=1, **settings)
    batches = training.batches.of_epoch(0)
    training.network.train()

    def step(number):
        batch = batches[number]
        prepared = training._prepare((number, batch, training.batches.read(batch)))
        training._step(batch, prepared.content)
        training._take(training.readings.arrived())

    def counted(function, *arguments):
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            function(*arguments)
        events = [event for event in profiler.events() if event.name.startswith("aten::")]
        return Counter(event.name for event in events if not in_optimizer(event))

    step(0)
    found = [counted(step, 1 + number) for number in range(steps)]
    return found, counted(lambda: training._take(training.readings.all()))


@pytest.mark.parametrize("micro_batch_size", [None, 8])
def test_no_step_reads_from_the_device_or_loops_over_images(micro_batch_size, tmp_path):
    """The optimiser is not counted: on a CPU it reads its own count of steps, on a GPU it is fused and does not."""
    small, reading = operations(tmp_path, 16, micro_batch_size=micro_batch_size)
    for step in small:
        assert {name: step[name] for name in READS if step[name]} == {}
    double = None if micro_batch_size is None else 2 * micro_batch_size
    large, _ = operations(tmp_path, 32, steps=1, micro_batch_size=double)
    assert {name: large[0][name] for name in PARTS} == {name: small[0][name] for name in PARTS}
    assert reading["aten::stack"] == 1  # four steps are read in one go


def test_the_profiler_sees_what_waits(monkeypatch, tmp_path):
    add = LateReadings.add

    def reads(self, step, values):
        values["loss"].item()
        add(self, step, values)

    monkeypatch.setattr(LateReadings, "add", reads)
    (step,), _ = operations(tmp_path, 16, steps=1)
    assert step["aten::_local_scalar_dense"] == 1


def test_no_state_is_saved_after_the_fault(tmp_path):
    first = 13
    calls: list[int] = []
    config = replace(CONFIG, batch_size=8, epochs=2, checkpoint_minutes=1e-9)  # an attempt to save after every step
    state, planted = FitState(tmp_path), Planted()
    planted_data = planted.data()
    with pytest.raises(FloatingPointError, match=rf"the loss is nan .* at step {first} "):
        planted.fit(
            state, config, objective=NaNLater(calls=(calls,), first=first), validation=planted_data.validation[:1]
        )
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert (failure["step"], failure["epoch"]) == (first, first // 64)
    (kept,) = tmp_path.glob("*.pt")
    assert torch.load(kept, weights_only=True)["progress"]["step"] == first
    assert calls[-1] == first


@pytest.mark.parametrize("first", [13, 60, 64])
def test_the_fault_is_noticed_after_few_steps_and_its_batch_is_named(first, tmp_path):
    calls: list[int] = []
    config = replace(CONFIG, batch_size=8, epochs=2, checkpoint_minutes=None)
    planted = Planted()
    data = planted.data()
    with pytest.raises(FloatingPointError, match=rf"the loss is nan .* at step {first} "):
        planted.fit(
            FitState(tmp_path), config, objective=NaNLater(calls=(calls,), first=first), validation=data.validation[:1]
        )
    assert first <= calls[-1] <= first + 2 * readings.STEPS
    assert calls[-1] < 64 * (1 + first // 64)  # before the validation of the epoch
    failure = json.loads((tmp_path / "failure.json").read_text())
    batch = started(tmp_path, data, batch_size=8, epochs=2).batches.of_epoch(first // 64)[first % 64]
    assert failure["batch"] == data.names(batch)


def test_all_numbers_are_read_once_and_in_order():
    late, read = LateReadings[int](steps=3), []
    for step in range(20):
        late.add(step, {"loss": torch.tensor(0.1 * step), "norm": torch.tensor(-step, dtype=torch.float64)})
        read += late.arrived()
        assert len(read) >= step + 1 - 2 * 3
    read += late.all()
    assert [step for step, _ in read] == list(range(20))
    assert [values["norm"] for _, values in read] == [float(-step) for step in range(20)]
    assert [values["loss"] for _, values in read] == [pytest.approx(0.1 * step) for step in range(20)]
    assert list(late.all()) == []


class Streams:
    """Stands for torch.cuda, and notes what it is asked for."""

    def __init__(self, finished=True):
        self.log, self.finished, self.entered = [], finished, []

    def Stream(self, device):
        return "side"

    def current_stream(self, device):
        return SimpleNamespace(
            wait_stream=lambda other: self.log.append(f"wait for {other}"), record_event=lambda: self.event()
        )

    def event(self):
        number = sum(entry.startswith("event") for entry in self.log)
        self.log.append(f"event {number}")
        return SimpleNamespace(
            query=lambda: self.finished, synchronize=lambda: self.log.append(f"synchronise {number}")
        )

    def stream(self, stream):
        return _Entered(self.entered, stream)


class _Entered:
    def __init__(self, entered, stream):
        self.entered, self.stream = entered, stream

    def __enter__(self):
        self.entered.append(self.stream)

    def __exit__(self, *_):
        self.entered.pop()


@pytest.mark.parametrize("finished", [True, False])
def test_on_a_gpu_batches_are_prepared_in_a_stream_of_their_own(finished, monkeypatch):
    streams = Streams(finished)
    monkeypatch.setattr(torch, "cuda", streams)

    def prepare(number):
        assert streams.entered == ["side"]
        streams.log.append(f"prepare {number}")
        tensor = SimpleNamespace(record_stream=lambda stream: streams.log.append(f"keep {number}"))
        return staging.Prepared(number, [tensor])

    waits = []
    for waited, batch, content in staging.staged(iter(range(4)), prepare, torch.device("cuda")):
        assert not streams.entered
        assert batch == content
        streams.log.append(f"step {content}")
        waits.append(waited)
    expected = []
    for number in range(4):
        expected += [f"prepare {number}", "wait for side", f"keep {number}", f"step {number}", f"event {number}"]
        expected += [f"synchronise {number - 2}"] if number >= 2 else []
    assert streams.log == expected
    # A GPU that still computes does not wait for data.
    assert all(waited > 0 for waited in (waits if finished else waits[:1]))
    assert finished or waits[1:] == [0.0] * 3


def test_a_batch_in_one_piece_is_prepared_and_a_divided_one_only_copied(tmp_path):
    planted = Planted()
    for size, pieces in ((None, 1), (8, 2)):
        training = started(tmp_path, planted.data(CROPPED), batch_size=16, micro_batch_size=size)
        batch = training.batches.of_epoch(0)[0]
        arrays = training.batches.read(batch)
        prepared = training.batches.prepared(0, batch, arrays, torch.device("cpu"))
        plain = training.batches.micro_batches(0, batch, arrays, torch.device("cpu"))
        assert len(prepared.content) == pieces
        for one, other in zip(prepared.content, plain, strict=True):
            assert one().keys() == other().keys()
            assert all(torch.equal(one()[name], tensor) for name, tensor in other().items())
        crops = [tensor for tensor in prepared.tensors if tensor.shape[-1] == 30]
        assert len(crops) == (pieces == 1)
        assert np.isin([32], [tensor.shape[-1] for tensor in prepared.tensors])

"""The gradient of a batch over micro-batches and over two gloo processes is that of the batch in one piece."""

import pytest
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.objectives import InfoNCE
from cloome_kedro.learning.step import backward
from step_gradients import deviation, run

pytestmark = pytest.mark.usefixtures("one_thread")
OBJECTIVES = {"InfoNCE": {}, "InfoLOOB, Hopfield": {"objective": "info_loob", "hopfield_beta": 8.0}}
LIMIT = 2e-5  # float32 rounding through the network


@pytest.fixture(scope="module")
def in_one_piece(tmp_path_factory, one_thread):
    folder = tmp_path_factory.mktemp("whole")
    return {
        (name, batch_norm): run(folder / f"{name}{batch_norm}", 1, 1, objective, batch_norm)
        for name, objective in OBJECTIVES.items()
        for batch_norm in (True, False)
    }


def small_model():
    with seeded(0):
        return PairModel(ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(2, 8), 16, 8)


def small_batch(size):
    generator = torch.Generator().manual_seed(size)
    return torch.rand(size, 5, 32, 32, generator=generator), torch.rand(size, 16, generator=generator)


@pytest.mark.parametrize("batch_norm", [True, False], ids=["running statistics", "no batch normalisation"])
@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("pieces", [2, 5])
def test_micro_batches(name, pieces, batch_norm, in_one_piece, tmp_path, record_property):
    found = run(tmp_path / "found", 1, pieces, OBJECTIVES[name], batch_norm)
    largest = deviation(found, in_one_piece[name, batch_norm])
    record_property("parity", (f"{name}: gradients over {pieces} micro-batches", largest, LIMIT))
    assert largest < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("pieces", "batch_norm"), [(1, True), (3, False)])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_processes(name, pieces, batch_norm, in_one_piece, tmp_path, record_property):
    found = run(tmp_path / "found", 2, pieces, OBJECTIVES[name], batch_norm)
    largest = deviation(found, in_one_piece[name, batch_norm])
    record_property("parity", (f"{name}: gradients over 2 processes x {pieces}", largest, LIMIT))
    assert largest < LIMIT


def test_one_piece_is_plain_backpropagation():
    model, (images, bits) = small_model(), small_batch(6)
    fabric = Fabric(accelerator="cpu", devices=1)
    expected = small_model()
    loss = InfoNCE()(*expected(images, bits))
    loss.backward()
    network = fabric.setup(model)
    assert torch.equal(backward(fabric, network, InfoNCE(), [lambda: (images, bits)]), loss)
    for parameter, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-6, atol=1e-9)


def test_batch_statistics_are_those_of_each_micro_batch_and_kept_once():
    model, expected = small_model(), small_model()
    batches = [small_batch(4), small_batch(5)]
    fabric = Fabric(accelerator="cpu", devices=1)
    backward(fabric, fabric.setup(model), InfoNCE(), [lambda b=b: b for b in batches])
    for batch in batches:
        expected(*batch)
    for (name, buffer), other in zip(model.named_buffers(), expected.buffers(), strict=True):
        assert torch.equal(buffer, other), name

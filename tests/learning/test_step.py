"""The gradient of a batch over micro-batches and over two gloo processes is that of the batch in one piece."""

from dataclasses import dataclass

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.objectives.cwcl import CWCL
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.objectives.replicate_alignment import ReplicateAlignment
from cloome_kedro.learning.objectives.s2l import S2L
from cloome_kedro.learning.objectives.siglip import SigLIP
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.step import backward
from step_gradients import Case, deviation, run

pytestmark = pytest.mark.usefixtures("one_thread")
OBJECTIVES = {
    "InfoNCE": InfoNCE(),
    "InfoLOOB, Hopfield": InfoLOOB(hopfield_beta=8.0),
    "SigLIP": SigLIP(initial_bias=-2.0),
    "CWCL": CWCL(),
    "S2L": S2L(threshold=0.3, initial_bias=-2.0),
    "replicates": ReplicateAlignment(base="info_nce", weight=0.5),
}
TWO_PROCESSES = [(1, True), (3, False)]  # micro-batches of each process, batch normalisation
LIMIT = 2e-5  # float32 rounding through the network


@pytest.fixture(scope="module")
def in_one_piece(tmp_path_factory, one_thread):
    cases = {
        f"{name}, {batch_norm}": Case(objective, 1, batch_norm)
        for name, objective in OBJECTIVES.items()
        for batch_norm in (True, False)
    }
    return run(tmp_path_factory.mktemp("whole"), 1, cases)


@pytest.fixture(scope="module")
def in_two_processes(tmp_path_factory):
    """All cases in the same two processes, since it takes long to start them."""
    cases = {
        f"{name}, {batch_norm}": Case(objective, pieces, batch_norm)
        for name, objective in OBJECTIVES.items()
        for pieces, batch_norm in TWO_PROCESSES
    }
    return run(tmp_path_factory.mktemp("two"), 2, cases)


def small_model():
    with seeded(0):
        return PairModel(Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(2, 8), 5, 16, embedding_size=8))


def small_batch(size):
    generator = torch.Generator().manual_seed(size)
    images, bits = torch.rand(size, 5, 32, 32, generator=generator), torch.rand(size, 16, generator=generator)
    return {"field": images, "compound": bits}


@pytest.mark.parametrize("batch_norm", [True, False], ids=["running statistics", "no batch normalisation"])
@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("pieces", [2, 5])
def test_micro_batches(name, pieces, batch_norm, in_one_piece, tmp_path, record_property):
    case = f"{name}, {batch_norm}"
    found = run(tmp_path, 1, {case: Case(OBJECTIVES[name], pieces, batch_norm)})
    largest = deviation(found[case], in_one_piece[case])
    record_property("parity", (f"{name}: gradients, {pieces} micro-batches", largest, LIMIT))
    assert largest < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("pieces", "batch_norm"), TWO_PROCESSES)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_processes(name, pieces, batch_norm, in_one_piece, in_two_processes, record_property):
    case = f"{name}, {batch_norm}"
    largest = deviation(in_two_processes[case], in_one_piece[case])
    record_property("parity", (f"{name}: gradients, 2 processes x {pieces}", largest, LIMIT))
    assert largest < LIMIT


def test_numbers_have_gradients(in_one_piece):
    """The bias of the sigmoid loss and the temperatures are among the gradients that the tests above compare."""
    for name in ("SigLIP", "S2L"):
        assert in_one_piece[f"{name}, False"]["bias"].abs() > 1e-3
    assert all(gradients["logit_inv_tau"].abs() > 1e-3 for gradients in in_one_piece.values())


def test_one_piece_is_plain_backpropagation():
    model, batch = small_model(), small_batch(6)
    fabric = Fabric(accelerator="cpu", devices=1)
    expected = small_model()
    loss = InfoNCE()(expected(**batch))
    loss.backward()
    network = fabric.setup(model)
    assert torch.equal(backward(fabric, network, InfoNCE(), [lambda: batch]), loss)
    for parameter, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-6, atol=1e-9)


class ThreeTowers(nn.Module):
    """Embeds a field in two ways and a compound in one; one number is learned and one is fixed."""

    def __init__(self):
        super().__init__()
        with seeded(0):
            self.field, self.profile, self.compound = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(5, 4)
        self.weight = nn.Parameter(torch.tensor(0.7))

    def forward(self, field, compound):
        return {
            "field": self.field(field).tanh(),
            "compound": self.compound(compound).tanh(),
            "profile": self.profile(field).sigmoid(),
            "scale": torch.tensor(3.0, dtype=field.dtype),
            "weight": self.weight,
        }


@dataclass(frozen=True)
class BothWays(Objective):
    """InfoNCE of fields and of profiles, the second weighted by a number that is learned."""

    def loss(self, field, compound, scale, profile, weight):
        other = InfoNCE().loss(field=profile, compound=compound, scale=scale)
        return InfoNCE().loss(field=field, compound=compound, scale=scale) + weight**2 * other


@pytest.mark.parametrize("sizes", [(12,), (5, 7), (2, 4, 3, 3)])
@pytest.mark.parametrize("objective", [BothWays(), InfoNCE()], ids=["all sets", "profiles unused"])
def test_an_objective_may_take_more_than_two_sets(sizes, objective):
    generator = torch.Generator().manual_seed(0)
    fields, compounds = torch.randn(12, 6, generator=generator), torch.randn(12, 5, generator=generator)
    expected = ThreeTowers().double()
    objective(expected(fields.double(), compounds.double())).backward()

    model, fabric = ThreeTowers(), Fabric(accelerator="cpu", devices=1)
    parts = zip(fields.split(sizes), compounds.split(sizes), strict=True)
    named = [dict(zip(("field", "compound"), part, strict=True)) for part in parts]
    backward(fabric, fabric.setup(model), objective, [lambda part=part: part for part in named])
    for (name, parameter), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        if other.grad is None:
            assert parameter.grad is None, name
        else:
            assert (parameter.grad - other.grad).norm() < LIMIT * other.grad.norm(), name


def test_batch_statistics_are_those_of_each_micro_batch_and_kept_once():
    model, expected = small_model(), small_model()
    batches = [small_batch(4), small_batch(5)]
    fabric = Fabric(accelerator="cpu", devices=1)
    backward(fabric, fabric.setup(model), InfoNCE(), [lambda b=b: b for b in batches])
    for batch in batches:
        expected(**batch)
    for (name, buffer), other in zip(model.named_buffers(), expected.buffers(), strict=True):
        assert torch.equal(buffer, other), name


@pytest.mark.parametrize("sizes", [(12,), (5, 7), (2, 4, 3, 3)])
@pytest.mark.parametrize(
    "objective",
    [InfoNCE(), CWCL("field_cosine"), ReplicateAlignment("s2l", weight=2.0), ReplicateAlignment(term="alignment")],
    ids=str,
)
def test_several_fields_of_each_pair(objective, sizes):
    """Embeddings of single fields have gradients, inputs of a pair's fields are averaged."""
    generator, pairs, k = torch.Generator().manual_seed(0), 12, 3
    inputs = {
        "field": torch.randn(pairs, k, 6, generator=generator),
        "compound": torch.randint(0, 2, (pairs, 5), generator=generator).float(),
        "unit": torch.arange(pairs) // 2,
        "plate": torch.randint(0, 3, (pairs, k), generator=generator),
    }

    def model():
        with seeded(0):
            encoder = MLP(1, 16, batch_norm=False)
            return PairModel(Architecture(encoder, encoder, 6, 5, embedding_size=4, scalars=objective.scalars))

    expected = model().double()
    exact = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
    further = {"field_input": exact["field"].mean(1), "compound_input": exact["compound"]}
    codes = {"unit": exact["unit"], "plate": exact["plate"]}
    loss = objective(expected(exact["field"].flatten(0, 1), exact["compound"]) | further | codes)
    loss.backward()

    network, fabric = model(), Fabric(accelerator="cpu", devices=1)
    parts = [{name: tensor.split(sizes)[i] for name, tensor in inputs.items()} for i in range(len(sizes))]
    parts = [part | {"field": part["field"].flatten(0, 1)} for part in parts]
    found = backward(fabric, fabric.setup(network), objective, [lambda part=part: part for part in parts])
    assert found.item() == pytest.approx(loss.item(), rel=LIMIT)
    for (name, parameter), other in zip(network.named_parameters(), expected.parameters(), strict=True):
        assert (parameter.grad - other.grad).norm() < LIMIT * other.grad.norm(), name


def test_images_are_not_compared():
    model, batch, fabric = small_model(), small_batch(4), Fabric(accelerator="cpu", devices=1)
    batch |= {"unit": torch.arange(4)}
    with pytest.raises(ValueError, match=r"CWCL compares inputs of fields, which must be vectors, but .*\(5, 32, 32\)"):
        backward(fabric, fabric.setup(model), CWCL("field_cosine"), [lambda: batch])


@pytest.mark.parametrize("sizes", [(12,), (5, 7), (2, 4, 3, 3)])
def test_dropout_is_the_same_when_a_micro_batch_runs_again(sizes):
    encoder = MLP(2, 16, norm="layer", dropout=0.4, input_dropout=0.2)

    def model():
        with seeded(0):
            return PairModel(Architecture(encoder, encoder, 6, 5, embedding_size=4)).train()

    generator = torch.Generator().manual_seed(0)
    fields, compounds = torch.randn(12, 6, generator=generator), torch.randn(12, 5, generator=generator)
    parts = [
        {"field": field, "compound": compound}
        for field, compound in zip(fields.split(sizes), compounds.split(sizes), strict=True)
    ]
    expected, outputs = model(), []
    for number, part in enumerate(parts):
        with seeded(7 + number):
            outputs.append(expected(**part))
    sets = {name: torch.cat([output[name] for output in outputs]) for name in ("field", "compound")}
    InfoNCE()(sets | {"scale": outputs[0]["scale"]}).backward()

    network, fabric = model(), Fabric(accelerator="cpu", devices=1)
    state = torch.get_rng_state()
    backward(fabric, fabric.setup(network), InfoNCE(), [lambda part=part: part for part in parts], seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    for (name, parameter), other in zip(network.named_parameters(), expected.parameters(), strict=True):
        assert (parameter.grad - other.grad).norm() < LIMIT * other.grad.norm(), name

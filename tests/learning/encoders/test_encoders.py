"""The registry of encoders."""

import json

import pytest
import torch

from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.encoders.base import Encoder
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.encoders.torchvision_resnet import ResNet18, ResNet50
from cloome_kedro.learning.seeding import seeded

#: with settings that are not the defaults, where there are any
CHOSEN = {
    "resnet": ResNet(layers=(1, 2, 1, 3), width=8),
    "resnet18": ResNet18(),
    "resnet50": ResNet50(),
    "mlp": MLP(2, 16, batch_norm=False, norm="layer", dropout=0.3, input_dropout=0.1),
    "linear": Linear(bias=True, start="zeros"),
    "identity": Identity(),
}


def test_all_are_listed():
    assert set(ENCODERS) == set(CHOSEN)


@pytest.mark.parametrize("name", CHOSEN)
def test_an_encoder_is_what_its_description_says(name):
    for encoder in (CHOSEN[name], ENCODERS[name]()):
        described = json.loads(json.dumps(ENCODERS.describe(encoder)))
        assert described["name"] == name
        assert ENCODERS.make(described) == encoder
        assert isinstance(encoder, Encoder)


@pytest.mark.parametrize("name", CHOSEN)
def test_an_encoder_builds_from_its_inputs_to_the_size_of_the_space(name):
    image = name.startswith("resnet")
    with torch.device("meta"):
        network = CHOSEN[name].build(5 if image else 6, 6).eval()
        shape = (2, 5, 64, 64) if image else (2, 6)
        assert network(torch.empty(shape)).shape == (2, 6)


@pytest.mark.parametrize("name", CHOSEN)
def test_it_is_said_which_encoders_have_parameters(name):
    with torch.device("meta"):
        parameters = list(CHOSEN[name].build(6, 6).parameters())
    assert ENCODERS.facts(name).get("parameters", True) == bool(parameters)


@pytest.mark.parametrize("name", ["resnet", "mlp", "linear"])
def test_weights_follow_their_seed(name):
    encoder = ENCODERS.make({"name": name, **({"layers": [1, 1, 1, 1], "width": 4} if name == "resnet" else {})})
    states = []
    for seed in (0, 0, 1):
        with seeded(seed):
            states.append(encoder.build(5, 4).state_dict())
    first, again, other = states
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_description_that_fits_no_encoder_is_refused():
    with pytest.raises(ValueError, match="there is no encoder 'resnet5'; the nearest are: resnet50"):
        ENCODERS.make({"name": "resnet5"})
    with pytest.raises(ValueError, match=r"encoder linear: .*unexpected keyword argument 'width'"):
        ENCODERS.make({"name": "linear", "width": 3})

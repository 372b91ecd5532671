import math

import pytest
import torch

from cloome_kedro.learning.config import ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, parameter_groups, seeded

IMAGE, STRUCTURE = ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(layers=2, width=8)


def small(**options):
    with seeded(0):
        return PairModel(IMAGE, STRUCTURE, 16, 6, **options)


def test_names_of_the_published_checkpoint():
    names = set(small().state_dict())
    assert {"logit_inv_tau", "visual.layer4.0.bn3.bias", "transformer.layers.2.0.weight"} <= names
    assert {name.split(".")[0] for name in names} == {"visual", "transformer", "logit_inv_tau"}


def test_embeddings_are_unit_vectors():
    images, structures, inverse_temperature = small(inverse_temperature=30)(torch.rand(3, 5, 32, 32), torch.rand(3, 16))
    for vectors in (images, structures):
        assert vectors.shape == (3, 6)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert inverse_temperature.item() == pytest.approx(30)


@pytest.mark.parametrize(("value", "clamped"), [(-1.0, 0.0), (3.0, 3.0), (7.0, math.log(100))])
def test_temperature_is_clamped(value, clamped):
    model = small()
    model.logit_inv_tau.data.fill_(value)
    model.clamp_temperature()
    assert model.logit_inv_tau.item() == pytest.approx(clamped)


def test_a_fixed_temperature_is_kept_but_not_trained():
    model = small(learnable_temperature=False)
    assert "logit_inv_tau" in model.state_dict()
    assert not any(p is model.logit_inv_tau for g in parameter_groups(model, 0.1) for p in g["params"])


def test_only_weights_decay():
    model = small()
    decays = {id(p): g["weight_decay"] for g in parameter_groups(model, 0.1) for p in g["params"]}
    assert len(decays) == len(list(model.parameters()))
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = name == "weight" and isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
            assert decays[id(parameter)] == (0.1 if is_weight else 0)


def test_the_published_rule_lets_nine_more_decay():
    with torch.device("meta"):
        model = PairModel(ImageEncoderConfig(), StructureEncoderConfig(), 1024)
    names = {id(p): name for name, p in model.named_parameters()}
    decaying = {
        rule: {names[id(p)] for p in parameter_groups(model, 0.1, rule)[0]["params"]}
        for rule in ("corrected", "published")
    }
    assert decaying["published"] - decaying["corrected"] == {
        "logit_inv_tau",
        *(f"visual.layer{stage}.0.downsample.1.weight" for stage in (1, 2, 3, 4)),
        *(f"transformer.layers.{i}.1.weight" for i in range(4)),
    }
    assert decaying["corrected"] < decaying["published"]
    for rule in decaying:
        assert sum(len(g["params"]) for g in parameter_groups(model, 0.1, rule)) == len(names)


def test_initialisation_follows_its_seed_and_leaves_the_global_state_alone():
    state = torch.get_rng_state()
    first, second = small().state_dict(), small().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), state)

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel, make_optimizer, parameter_groups
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded

SMALL = Architecture(
    ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=2, width=8), field_inputs=5, compound_inputs=16, embedding_size=6
)
#: the baseline x^T W z, as conf/base configures it
BILINEAR = Architecture(
    Identity(),
    Linear(start="zeros"),
    field_inputs=3,
    compound_inputs=8,
    normalise=False,
    inverse_temperature=1,
    learnable_temperature=False,
)


def small(**options):
    with seeded(0):
        return PairModel(replace(SMALL, **options))


def bilinear(seed=None):
    """With W = 0, or with one of normal numbers."""
    model = PairModel(BILINEAR)
    if seed is not None:
        model.transformer.weight.data = torch.randn(3, 8, generator=torch.Generator().manual_seed(seed))
    return model


def test_names_of_the_published_checkpoint():
    names = set(small().state_dict())
    assert {"logit_inv_tau", "visual.layer4.0.bn3.bias", "transformer.layers.2.0.weight"} <= names
    assert {name.split(".")[0] for name in names} == {"visual", "transformer", "logit_inv_tau"}


def test_embeddings_are_unit_vectors():
    outputs = small(inverse_temperature=30)(torch.rand(3, 5, 32, 32), torch.rand(3, 16))
    assert list(outputs) == ["field", "compound", "scale"]
    for side in ("field", "compound"):
        assert outputs[side].shape == (3, 6)
        torch.testing.assert_close(outputs[side].norm(dim=1), torch.ones(3))
    assert outputs["scale"].item() == pytest.approx(30)


def test_without_normalisation_embeddings_are_the_encoders_outputs():
    model, bits = small(normalise=False).eval(), torch.rand(3, 16)
    assert torch.equal(model.encode_compounds(bits), model.transformer(bits))
    assert not torch.allclose(model.encode_compounds(bits).norm(dim=1), torch.ones(3), atol=0.05)


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


def test_learned_numbers_are_parameters_under_their_names_and_do_not_decay():
    model = small(scalars={"bias": -10, "gain": 2.5})
    numbers = model(torch.rand(2, 5, 32, 32), torch.rand(2, 16))
    assert list(numbers) == ["field", "compound", "scale", "bias", "gain"]
    assert [numbers[name].item() for name in ("bias", "gain")] == [-10, 2.5]
    assert {"bias", "gain"} <= set(model.state_dict())
    decaying, spared = parameter_groups(model, 0.1)
    for parameter in (model.bias, model.gain):
        assert parameter.requires_grad
        assert any(other is parameter for other in spared["params"])
        assert not any(other is parameter for other in decaying["params"])


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
        model = PairModel(Architecture(ResNet(), MLP(), 5, 1024))
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


def test_the_optimiser_is_the_configured_one():
    model = small(learnable_temperature=False)
    adamw = make_optimizer(model, FitConfig(learning_rate=0.02, weight_decay=0.3))
    sgd = make_optimizer(model, FitConfig(optimizer="sgd", momentum=0.8, decay_rule="published"))
    assert isinstance(adamw, torch.optim.AdamW)
    assert [(group["lr"], group["weight_decay"]) for group in adamw.param_groups] == [(0.02, 0.3), (0.02, 0)]
    assert isinstance(sgd, torch.optim.SGD)
    assert [group["momentum"] for group in sgd.param_groups] == [0.8, 0.8]
    assert len(sgd.param_groups[0]["params"]) > len(adamw.param_groups[0]["params"])


def test_initialisation_follows_its_seed_and_leaves_the_global_state_alone():
    state = torch.get_rng_state()
    first, second = small().state_dict(), small().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("architecture", [SMALL, BILINEAR, replace(SMALL, scalars={"bias": -10.0})])
def test_an_architecture_is_what_its_description_says(architecture):
    assert Architecture.of(json.loads(json.dumps(architecture.describe()))) == architecture


def test_an_encoder_with_its_own_size_decides_the_size_of_the_space():
    assert replace(SMALL, embedding_size=7).size == 7
    assert BILINEAR.size == 3
    swapped = replace(BILINEAR, field=Linear(), compound=Identity())
    assert swapped.size == 8
    assert PairModel(swapped).embedding_size == 8
    both = replace(BILINEAR, compound=Identity(), compound_inputs=3)
    assert both.size == 3
    with pytest.raises(ValueError, match="of fields have 3 numbers, embeddings of compounds have 8:"):
        _ = replace(BILINEAR, compound=Identity()).size


def test_settings_out_of_range_are_refused():
    for value in (0.5, 101):
        with pytest.raises(ValueError, match=f"inverse_temperature must be from 1 to 100, is {value}"):
            replace(SMALL, inverse_temperature=value)
    with pytest.raises(ValueError, match="embedding_size must be at least 1, is 0"):
        replace(SMALL, embedding_size=0)


# The baseline x^T W z: fields have no encoder, and compounds have one matrix that starts at zero.


def test_scores_of_the_bilinear_model_are_the_bilinear_form():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(5, 3)), rng.integers(0, 2, (5, 8)).astype(float)
    model = bilinear(seed=0).double()
    outputs = model(torch.from_numpy(x), torch.from_numpy(z))
    w = model.transformer.weight.detach().numpy()
    expected = [[sum(x_i[a] * w[a, b] * z_j[b] for a in range(3) for b in range(8)) for z_j in z] for x_i in x]
    np.testing.assert_allclose((outputs["field"] @ outputs["compound"].T).detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(outputs["field"].numpy(), x)
    assert outputs["scale"].item() == 1


def test_a_fresh_bilinear_model_is_at_chance_and_learns_at_the_first_step():
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(6, 3, generator=generator), torch.randint(0, 2, (6, 8), generator=generator).float()
    model = bilinear()
    loss = InfoNCE()(model(x, z))
    assert loss.item() == pytest.approx(math.log(6), abs=1e-6)
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert InfoNCE()(model(x, z)) < loss


@pytest.mark.parametrize("objective", [InfoNCE(), InfoLOOB()], ids=str)
def test_the_loss_is_convex_in_the_bilinear_matrix(objective):
    """So the matrix can start at zero: along any line the loss is no higher than the chord."""
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randn(9, 3, generator=generator).double(), torch.randint(0, 2, (9, 8), generator=generator).double()
    middle = bilinear().double()
    for seed in range(10):
        one, other = bilinear(seed).double(), bilinear(seed + 100).double()
        middle.transformer.weight.data = 0.3 * one.transformer.weight + 0.7 * other.transformer.weight
        at_one, at_other, at_middle = (objective(model(x, z)).item() for model in (one, other, middle))
        assert at_middle <= 0.3 * at_one + 0.7 * at_other + 1e-9


def test_scores_of_the_bilinear_model_are_not_those_of_unit_vectors():
    """InfoNCE takes lengths as they come: doubling the features doubles the scores."""
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(4, 3, generator=generator), torch.randint(0, 2, (4, 8), generator=generator).float()
    model = bilinear(seed=0)
    scores = x @ model.transformer.weight.detach() @ z.T
    expected = (torch.nn.functional.cross_entropy(2 * scores, torch.arange(4))
                + torch.nn.functional.cross_entropy(2 * scores.T, torch.arange(4))) / 2  # fmt: skip
    torch.testing.assert_close(InfoNCE()(model(2 * x, z)), expected)


@pytest.mark.parametrize("rule", ["corrected", "published"])
def test_the_bilinear_matrix_decays_and_nothing_else_is_trained(rule):
    model = bilinear()
    decaying, spared = parameter_groups(model, 0.1, rule)
    assert [parameter is model.transformer.weight for parameter in decaying["params"]] == [True]
    assert (decaying["weight_decay"], spared["params"]) == (0.1, [])
    model.clamp_temperature()
    assert model.logit_inv_tau.item() == 0

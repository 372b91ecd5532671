import json
import math

import numpy as np
import pytest
import torch

from cloome_kedro.learning.bilinear import (
    BilinearModel,
    Standardise,
    build_bilinear,
    describe_bilinear,
    standardise_of,
)
from cloome_kedro.learning.checkpoint import Checkpoint, build, describe, load, save
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import parameter_groups
from cloome_kedro.learning.objectives import InfoLOOB, InfoNCE
from cloome_kedro.learning.preprocess import Preprocess

COLUMNS = ["area", "intensity", "texture"]


def trained(features=3, bits=8, seed=0):
    model = BilinearModel(features, bits)
    model.weight.data = torch.randn(features, bits, generator=torch.Generator().manual_seed(seed))
    return model


def test_scores_are_the_bilinear_form():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(5, 3)), rng.integers(0, 2, (5, 8)).astype(float)
    model = trained().double()
    fields, structures, inverse_temperature = model(torch.from_numpy(x), torch.from_numpy(z))
    w = model.weight.detach().numpy()
    expected = [[x_i @ w @ z_j for z_j in z] for x_i in x]
    np.testing.assert_allclose((fields @ structures.T).detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(fields.numpy(), x)
    assert inverse_temperature.item() == 1


def test_a_fresh_model_is_at_chance_and_learns_at_the_first_step():
    x, z = torch.randn(6, 3), torch.randint(0, 2, (6, 8)).float()
    model = BilinearModel(3, 8)
    loss = InfoNCE()(*model(x, z))
    assert loss.item() == pytest.approx(math.log(6), abs=1e-6)
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert InfoNCE()(*model(x, z)) < loss


@pytest.mark.parametrize("objective", [InfoNCE(), InfoLOOB()])
def test_the_loss_is_convex_in_the_matrix(objective):
    """Why the matrix can start at zero: along any line the loss is no higher than the chord."""
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randn(9, 3, generator=generator).double(), torch.randint(0, 2, (9, 8), generator=generator).double()
    one, other, middle = (BilinearModel(3, 8).double() for _ in range(3))
    for seed in range(10):
        one.weight.data, other.weight.data = (trained(seed=s).double().weight.data for s in (seed, seed + 100))
        middle.weight.data = 0.3 * one.weight + 0.7 * other.weight
        at_one, at_other, at_middle = (objective(*model(x, z)).item() for model in (one, other, middle))
        assert at_middle <= 0.3 * at_one + 0.7 * at_other + 1e-9


def test_scores_are_not_those_of_unit_vectors():
    """InfoNCE takes lengths as they come: doubling the features doubles the scores."""
    x, z = torch.randn(4, 3), torch.randint(0, 2, (4, 8)).float()
    model = trained()
    scores = x @ model.weight.detach() @ z.T
    expected = (torch.nn.functional.cross_entropy(2 * scores, torch.arange(4))
                + torch.nn.functional.cross_entropy(2 * scores.T, torch.arange(4))) / 2  # fmt: skip
    torch.testing.assert_close(InfoNCE()(*model(2 * x, z)), expected)


@pytest.mark.parametrize("rule", ["corrected", "published"])
def test_the_matrix_decays_and_nothing_else_is_trained(rule):
    model = BilinearModel(3, 8)
    decaying, spared = parameter_groups(model, 0.1, rule)
    assert [parameter is model.weight for parameter in decaying["params"]] == [True]
    assert (decaying["weight_decay"], spared["params"]) == (0.1, [])
    model.clamp_temperature()
    assert model.logit_inv_tau.item() == 0


def test_features_are_standardised():
    profiles = torch.from_numpy(np.random.default_rng(0).normal([3, -50, 1e4], [2, 0.1, 500], (400, 3))).float()
    profiles = torch.cat([profiles, torch.full((400, 1), 7.0)], 1)
    preprocess = Standardise.of(profiles)
    found = preprocess(profiles)
    torch.testing.assert_close(found.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.tensor([1.0, 1, 1, 0]), atol=1e-4, rtol=0)
    assert torch.equal(preprocess.augment(profiles, range(400)), found)


def test_round_trip(tmp_path):
    model, preprocess = trained(), Standardise((1.0, 2.0, 3.0), (1.0, 0.5, 4.0))
    config = describe_bilinear(COLUMNS, 8, FitConfig(), preprocess)
    save(Checkpoint(config, model.state_dict()), tmp_path / "checkpoint")
    loaded = load(tmp_path / "checkpoint")
    assert loaded.config == json.loads(json.dumps(config))
    assert standardise_of(loaded, COLUMNS) == preprocess
    restored = build_bilinear(loaded)
    assert not restored.training
    for found, expected in zip(
        restored(torch.ones(2, 3), torch.ones(2, 8)), model(torch.ones(2, 3), torch.ones(2, 8)), strict=True
    ):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["area", "blur", "texture"], "blur instead of intensity"),
        (["area", "texture", "intensity"], "texture instead of intensity"),
        (["area", "intensity"], "no column instead of texture"),
        ([*COLUMNS, "blur"], "blur instead of no column"),
    ],
)
def test_other_columns_are_named(columns, message):
    checkpoint = Checkpoint(describe_bilinear(COLUMNS, 8, FitConfig(), Standardise((0.0,) * 3, (1.0,) * 3)), {})
    with pytest.raises(ValueError, match=message):
        standardise_of(checkpoint, columns)


def test_other_checkpoints_are_refused():
    config = describe_bilinear(COLUMNS, 8, FitConfig(), Standardise((0.0,) * 3, (1.0,) * 3))
    with pytest.raises(ValueError, match="do not fit the architecture"):
        build_bilinear(Checkpoint(config, trained(bits=16).state_dict()))
    pair_model = describe(ImageEncoderConfig(), StructureEncoderConfig(), 8, FitConfig(), Preprocess())
    with pytest.raises(ValueError, match="not of a bilinear model"):
        build_bilinear(Checkpoint(pair_model, {}))
    with pytest.raises(ValueError, match="of a bilinear model, which has no encoders"):
        build(Checkpoint(config, trained().state_dict()))

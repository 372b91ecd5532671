import numpy as np
import pytest
import torch

from cloome_kedro.learning.checkpoint import Checkpoint, describe
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.untrained import calibrate_field_statistics
from cloome_kedro.learning.views.base import Rows
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan

ARCHITECTURE = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 16, embedding_size=6)
VIEW = Images(crop=32, mean=(100.0,) * 5, std=(60.0,) * 5)


def rows_of(read):
    return Rows(read, np.ones(40, bool), "images")


def fresh(seed):
    with seeded(seed):
        return PairModel(ARCHITECTURE)


@pytest.fixture(scope="module")
def checkpoint():
    described = describe(ARCHITECTURE, {"field": VIEW, "compound": Morgan(bits=16)}, None, None)
    return Checkpoint(described, fresh(0).state_dict())


def equal(one, other) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return (rng.integers(60, 200, (40, 5, 1, 1)) + rng.integers(-40, 40, (40, 5, 32, 32))).astype(np.uint8)


def calibrated(checkpoint, images, fields, batch_size=64, **options):
    model = checkpoint.build_untrained(0)
    embedder = Embedder(model, batch_size)
    calibrate_field_statistics(embedder, rows_of(lambda i: images[i]), fields, VIEW, seed=0, **options)
    return model


def test_statistics_are_those_of_the_fields(checkpoint, images):
    """The first layer's against its definition, over one batch; the result in evaluation is that of a training step."""
    model = calibrated(checkpoint, images, np.arange(40), batch_size=64)
    x = VIEW(torch.from_numpy(images))
    maps = model.visual.conv1(x)
    torch.testing.assert_close(model.visual.bn1.running_mean, maps.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.visual.bn1.running_var, maps.var((0, 2, 3)), atol=1e-4, rtol=1e-4)
    found, step = model.encode_fields(x), fresh(0).train().encode_fields(x)
    torch.testing.assert_close(found, step, atol=0.02, rtol=0)  # a step divides by the biased variance
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_only_the_given_fields_are_read_and_no_weight_changes(checkpoint, images):
    fields = np.arange(0, 40, 2)
    model = calibrated(checkpoint, images, fields, batch_size=7)
    changed = images.copy()
    changed[1::2] = 0
    assert equal(model, calibrated(checkpoint, changed, fields, batch_size=7))
    for name, parameter in checkpoint.build_untrained(0).named_parameters():
        assert torch.equal(parameter, dict(model.named_parameters())[name]), name


@pytest.mark.parametrize("fields", [2, 3, 5])
def test_few_fields_and_small_batches_do(checkpoint, images, fields):
    model = calibrated(checkpoint, images, np.arange(fields), batch_size=1)
    assert torch.isfinite(model.encode_fields(VIEW(torch.from_numpy(images)))).all()


def test_fields_are_spread_over_the_space_only_once_calibrated(checkpoint, images):
    x = VIEW(torch.from_numpy(images))

    def alike(model):
        vectors = model.encode_fields(x)
        return float((vectors @ vectors.T).mean())

    assert alike(calibrated(checkpoint, images, np.arange(40))) < alike(checkpoint.build_untrained(0)) - 0.1


def test_a_seeded_sample_of_the_fields_is_enough(checkpoint, images):
    read = []

    def remembers(positions):
        read.extend(positions.tolist())
        return images[positions]

    for seed in (0, 0, 1):
        model = checkpoint.build_untrained(0)
        calibrate_field_statistics(Embedder(model, 4), rows_of(remembers), np.arange(5, 40), VIEW, seed, at_most=10)
    first, again, other = read[:10], read[10:20], read[20:]
    assert len(set(first)) == len(other) == 10
    assert sorted(first) == sorted(again) != sorted(other)
    assert set(read) <= set(range(5, 40))


def test_momenta_and_modes_are_as_before(checkpoint, images):
    model = calibrated(checkpoint, images, np.arange(40))
    layers = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    assert {layer.momentum for layer in layers} == {0.1}
    assert not any(module.training for module in model.modules())
    compounds = [module for module in model.transformer.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    assert all(not layer.running_mean.any() for layer in compounds), "statistics of compounds stay"

import numpy as np
import pytest
import torch

from cloome_kedro.learning.checkpoint import Checkpoint, build, build_untrained, describe
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess
from cloome_kedro.learning.untrained import calibrate_image_statistics

IMAGE, STRUCTURE = ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(layers=1, width=8)
PREPROCESS = Preprocess(crop=32, mean=(100.0,) * 5, std=(60.0,) * 5)


def fresh(seed):
    with seeded(seed):
        return PairModel(IMAGE, STRUCTURE, 16, 6)


@pytest.fixture
def checkpoint():
    config = describe(IMAGE, STRUCTURE, 16, FitConfig(embedding_size=6), PREPROCESS)
    return Checkpoint(config, fresh(0).state_dict())


def equal(one, other) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_an_untrained_model_is_the_one_that_a_training_begins_with(checkpoint):
    model = build_untrained(checkpoint, 5)
    assert not model.training
    assert equal(model, fresh(5))
    assert not equal(model, fresh(6))
    assert not equal(model, build(checkpoint))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return (rng.integers(60, 200, (40, 5, 1, 1)) + rng.integers(-40, 40, (40, 5, 32, 32))).astype(np.uint8)


def calibrated(checkpoint, images, fields, **options):
    model = build_untrained(checkpoint, 0)
    calibrate_image_statistics(model, lambda i: images[i], fields, PREPROCESS, 0, **options)
    return model


def test_statistics_are_those_of_the_fields(checkpoint, images):
    """The first layer's against its definition, over one batch; the result in evaluation is that of a training step."""
    model = calibrated(checkpoint, images, np.arange(40), batch_size=64)
    x = PREPROCESS(torch.from_numpy(images))
    maps = model.visual.conv1(x)
    torch.testing.assert_close(model.visual.bn1.running_mean, maps.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.visual.bn1.running_var, maps.var((0, 2, 3)), atol=1e-4, rtol=1e-4)
    found, step = model.encode_images(x), fresh(0).train().encode_images(x)
    torch.testing.assert_close(found, step, atol=0.02, rtol=0)  # a step divides by the biased variance
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_only_the_given_fields_are_read_and_no_weight_changes(checkpoint, images):
    fields = np.arange(0, 40, 2)
    model = calibrated(checkpoint, images, fields, batch_size=7)
    changed = images.copy()
    changed[1::2] = 0
    assert equal(model, calibrated(checkpoint, changed, fields, batch_size=7))
    for name, parameter in build_untrained(checkpoint, 0).named_parameters():
        assert torch.equal(parameter, dict(model.named_parameters())[name]), name


@pytest.mark.parametrize("fields", [2, 3, 5])
def test_few_fields_and_small_batches_do(checkpoint, images, fields):
    model = calibrated(checkpoint, images, np.arange(fields), batch_size=1)
    assert torch.isfinite(model.encode_images(PREPROCESS(torch.from_numpy(images)))).all()


def test_fields_are_spread_over_the_space_only_once_calibrated(checkpoint, images):
    x = PREPROCESS(torch.from_numpy(images))

    def alike(model):
        vectors = model.encode_images(x)
        return float((vectors @ vectors.T).mean())

    assert alike(calibrated(checkpoint, images, np.arange(40))) < alike(build_untrained(checkpoint, 0)) - 0.1

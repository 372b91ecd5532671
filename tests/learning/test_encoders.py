"""Encoders against a functional evaluation of their formula; tests/test_parity.py has their names and sizes."""

import pytest
import torch
import torch.nn.functional as F

from cloome_kedro.learning.config import ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.encoders import IMAGE_ENCODERS, AntiAliasedResNet, StructureEncoder
from cloome_kedro.learning.model import seeded

SMALL = ImageEncoderConfig(layers=(1, 2, 1, 1), width=4)


def batch_norm(x, tensors, name):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, var, gain, bias = (
        tensors[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * gain + bias


def randomise_statistics(module):
    """So that a missing or misplaced normalisation shows."""
    generator = torch.Generator().manual_seed(1)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.5)


@pytest.mark.parametrize(("side", "published_head"), [(64, False), (264, True)])
def test_image_encoder_is_the_published_network(side, published_head):
    with seeded(0):
        encoder = AntiAliasedResNet(SMALL, 6).double().eval()
        x = torch.rand(2, 5, side, side, dtype=torch.float64)
    randomise_statistics(encoder)
    t = encoder.state_dict()

    y = batch_norm(F.conv2d(x, t["conv1.weight"], stride=2, padding=3), t, "bn1").relu()
    y = F.max_pool2d(y, 3, 2, 1)
    for stage, blocks in enumerate(SMALL.layers, start=1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            out = batch_norm(F.conv2d(y, t[f"{name}.conv1.weight"]), t, f"{name}.bn1").relu()
            out = batch_norm(F.conv2d(out, t[f"{name}.conv2.weight"], padding=1), t, f"{name}.bn2").relu()
            out = batch_norm(F.conv2d(F.avg_pool2d(out, stride), t[f"{name}.conv3.weight"]), t, f"{name}.bn3")
            if block == 0:
                y = F.conv2d(F.avg_pool2d(y, stride), t[f"{name}.downsample.0.weight"])
                y = batch_norm(y, t, f"{name}.downsample.1")
            y = (out + y).relu()
    if published_head:
        whole, y = y.mean((2, 3)), F.avg_pool2d(y, 7, 1)
        assert (y.mean((2, 3)) - whole).abs().max() > 1e-4  # the head is no plain global average
    expected = y.mean((2, 3)) @ t["fc.weight"].T + t["fc.bias"]

    torch.testing.assert_close(encoder(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", [True, False])
def test_structure_encoder_is_an_mlp(norm):
    with seeded(0):
        encoder = StructureEncoder(StructureEncoderConfig(layers=2, width=7, batch_norm=norm), 16, 3).double().eval()
        x = torch.rand(4, 16, dtype=torch.float64)
    randomise_statistics(encoder)
    t = encoder.state_dict()
    y = x
    for i in range(2):
        y = y @ t[f"layers.{i}.0.weight"].T + t[f"layers.{i}.0.bias"]
        y = (batch_norm(y, t, f"layers.{i}.1") if norm else y).relu()
    y = y @ t["layers.2.0.weight"].T + t["layers.2.0.bias"]
    torch.testing.assert_close(encoder(x), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_encoders_take_five_channels(name):
    with torch.device("meta"):
        encoder = IMAGE_ENCODERS[name](ImageEncoderConfig(name=name), 32)
        assert encoder(torch.empty(2, 5, 64, 64)).shape == (2, 32)


def test_convolutions_start_kaiming_normal_fan_out():
    with seeded(0):
        weight = AntiAliasedResNet(ImageEncoderConfig(layers=(1, 1, 1, 1)), 8).layer4[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_smallest_field():
    with seeded(0):
        encoder = AntiAliasedResNet(SMALL, 6).eval()
    assert encoder(torch.zeros(1, 5, 29, 40)).shape == (1, 6)
    with pytest.raises(ValueError, match="28 x 40"):
        encoder(torch.zeros(1, 5, 28, 40))


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="width"):
        ImageEncoderConfig(width=0)
    with pytest.raises(ValueError, match="layers"):
        StructureEncoderConfig(layers=0)

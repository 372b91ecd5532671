"""The published encoder against its formula, written with functions; tests/test_parity.py has its names and sizes."""

import pytest
import torch
import torch.nn.functional as F

from batch_norm_formula import batch_norm, randomise_statistics
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.seeding import seeded

SMALL = ResNet(layers=(1, 2, 1, 1), width=4)


@pytest.mark.parametrize(("side", "published_head"), [(64, False), (264, True)])
def test_it_is_the_published_network(side, published_head):
    with seeded(0):
        encoder = SMALL.build(5, 6).double().eval()
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


def test_convolutions_start_kaiming_normal_fan_out():
    with seeded(0):
        weight = ResNet(layers=(1, 1, 1, 1)).build(5, 8).layer4[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_smallest_field():
    with seeded(0):
        encoder = SMALL.build(5, 6).eval()
    assert encoder(torch.zeros(1, 5, 29, 40)).shape == (1, 6)
    with pytest.raises(ValueError, match="28 x 40"):
        encoder(torch.zeros(1, 5, 28, 40))


def test_the_number_of_channels_is_free():
    with seeded(0):
        encoder = SMALL.build(2, 6).eval()
    assert encoder(torch.zeros(1, 2, 32, 32)).shape == (1, 6)
    assert SMALL.fixed_size(2) is None


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="ResNet: width must be at least 1, is 0"):
        ResNet(width=0)
    for layers in ((1, 1, 1), (1, 0, 1, 1)):
        with pytest.raises(ValueError, match="ResNet: layers must be four numbers, each at least 1"):
            ResNet(layers=layers)

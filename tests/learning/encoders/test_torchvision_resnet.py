import pytest
import torch
import torchvision

from cloome_kedro.learning.encoders.torchvision_resnet import ResNet18, ResNet50
from cloome_kedro.learning.seeding import seeded


@pytest.mark.parametrize("encoder", [ResNet18(), ResNet50()], ids=lambda encoder: encoder.architecture)
@pytest.mark.parametrize("channels", [3, 5])
def test_it_is_torchvisions_network_for_any_number_of_channels(encoder, channels):
    with torch.device("meta"):
        network = encoder.build(channels, 32)
        expected = torchvision.models.get_model(encoder.architecture, num_classes=32).state_dict()
        assert network(torch.empty(2, channels, 64, 64)).shape == (2, 32)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in expected.items()} | {
        "conv1.weight": torch.Size((64, channels, 7, 7))
    }


def test_the_first_layer_starts_kaiming_normal_fan_out_like_the_others():
    with seeded(0):
        weight = ResNet18().build(5, 2).conv1.weight
    assert weight.std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.03)

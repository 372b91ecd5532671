"""ResNets of torchvision, with a first layer for any number of channels."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from cloome_kedro.learning.encoders.base import Encoder


class _ResNet(Encoder):
    architecture: ClassVar[str]

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make the network, from (N, inputs, H, W) to (N, size)."""
        import torchvision  # it takes longer than the start of a short run

        encoder = torchvision.models.get_model(self.architecture, weights=None, num_classes=size)
        encoder.conv1 = nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
        return encoder


@dataclass(frozen=True)
class ResNet18(_ResNet):
    """ResNet-18 of torchvision, without pretrained weights."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}
    architecture: ClassVar[str] = "resnet18"


@dataclass(frozen=True)
class ResNet50(_ResNet):
    """ResNet-50 of torchvision, without pretrained weights."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}
    architecture: ClassVar[str] = "resnet50"

"""The published anti-aliased ResNet, with the published names and shapes of tensors."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.encoders.base import Encoder

SMALLEST_SIDE = 29  # pixels; from a shorter side, the last stage would have no pixel


@dataclass(frozen=True)
class ResNet(Encoder):
    """The published image encoder. With the defaults it has 24,563,392 parameters.

    Attributes
    ----------
    layers
        Number of blocks in each of the four stages.
    width
        Inner channels of the blocks in the first stage. Each further stage doubles the number.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64

    def __post_init__(self):
        at_least(self, 1, "width")
        if len(self.layers) != 4 or min(self.layers) < 1:
            raise ValueError(f"ResNet: layers must be four numbers, each at least 1, is {self.layers}")

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make the network, from (N, inputs, H, W) to (N, size)."""
        return AntiAliasedResNet(self, inputs, size)


class AntiAliasedBottleneck(nn.Module):
    """Bottleneck block with average pooling in place of strides: before ``conv3`` and in the shortcut.

    Parameters
    ----------
    inputs, planes : int
        Input channels, and channels of the inner convolutions. The output has ``4 * planes`` channels.
    stride : int
        Factor by which height and width are reduced.
    """

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1):
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            # The pooling is named "-1" so that the convolution has its published name, downsample.0.
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.downsample = nn.Sequential(OrderedDict([("-1", pool), ("0", conv), ("1", nn.BatchNorm2d(outputs))]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.pool(out)))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class AntiAliasedResNet(nn.Module):
    """Network from images (N, inputs, H, W) to embeddings (N, size).

    The head averages every 7 x 7 window of the last map, then all windows. A smaller map, from sides below about 220
    pixels, is averaged as a whole.
    """

    def __init__(self, settings: ResNet, inputs: int, size: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, settings.width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(settings.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels, stages = settings.width, []
        for stage, blocks in enumerate(settings.layers):
            planes = settings.width * 2**stage
            stages.append(nn.Sequential())
            for block in range(blocks):
                stages[-1].append(AntiAliasedBottleneck(channels, planes, stride=2 if stage and not block else 1))
                channels = planes * AntiAliasedBottleneck.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(channels, size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < SMALLEST_SIDE:
            raise ValueError(
                f"the encoder needs images of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, got {height} x {width}"
            )
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = F.avg_pool2d(x, (min(7, x.shape[-2]), min(7, x.shape[-1])), stride=1)
        return self.fc(x.mean((-2, -1)))

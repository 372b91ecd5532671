"""Encoders of images and of structures, with the parameter names and shapes of the published CLOOME checkpoints."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cloome_kedro.learning.config import ImageEncoderConfig, StructureEncoderConfig

SMALLEST_SIDE = 29  # five halvings of a shorter side leave nothing


class AntiAliasedBottleneck(nn.Module):
    """Bottleneck block that strides by average pooling before ``conv3`` and before the shortcut's convolution.

    Parameters
    ----------
    inputs, planes : int
        Channels that come in, and channels of the inner convolutions; ``4 * planes`` come out.
    stride : int
        Factor by which height and width shrink.
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
            # The pooling is named "-1" so that the convolution keeps its published name, downsample.0.
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.downsample = nn.Sequential(OrderedDict([("-1", pool), ("0", conv), ("1", nn.BatchNorm2d(outputs))]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.pool(out)))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class AntiAliasedResNet(nn.Module):
    """The published image encoder; at its defaults it has 24,563,392 parameters.

    Images (N, channels, H, W) become (N, embedding_size). The head averages every 7 x 7 window of the last map, then
    all windows; a map smaller than 7 x 7 (sides under about 220 pixels) is averaged as a whole.
    """

    def __init__(self, config: ImageEncoderConfig, embedding_size: int):
        super().__init__()
        self.conv1 = nn.Conv2d(config.channels, config.width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs, stages = config.width, []
        for stage, blocks in enumerate(config.layers):
            planes = config.width * 2**stage
            stages.append(nn.Sequential())
            for block in range(blocks):
                stages[-1].append(AntiAliasedBottleneck(inputs, planes, stride=2 if stage and not block else 1))
                inputs = planes * AntiAliasedBottleneck.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(inputs, embedding_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < SMALLEST_SIDE:
            raise ValueError(
                f"the encoder needs images of {SMALLEST_SIDE} pixels a side or more, got {height} x {width}"
            )
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = F.avg_pool2d(x, (min(7, x.shape[-2]), min(7, x.shape[-1])), stride=1)
        return self.fc(x.mean((-2, -1)))


def _torchvision(build: Callable[..., nn.Module]) -> Callable[[ImageEncoderConfig, int], nn.Module]:
    def make(config: ImageEncoderConfig, embedding_size: int) -> nn.Module:
        encoder = build(weights=None, num_classes=embedding_size)
        encoder.conv1 = nn.Conv2d(config.channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
        return encoder

    return make


#: name in the configuration -> constructor from (config, embedding_size)
IMAGE_ENCODERS: dict[str, Callable[[ImageEncoderConfig, int], nn.Module]] = {
    "resnet": AntiAliasedResNet,
    "resnet18": _torchvision(torchvision.models.resnet18),
    "resnet50": _torchvision(torchvision.models.resnet50),
}


class StructureEncoder(nn.Module):
    """MLP on fingerprints (N, bits) -> (N, embedding_size); 4,731,392 parameters at the published 1024 bits."""

    def __init__(self, config: StructureEncoderConfig, bits: int, embedding_size: int):
        super().__init__()
        sizes = [bits] + [config.width] * config.layers
        self.layers = nn.Sequential()
        for inputs, outputs in pairwise(sizes):
            norm = [nn.BatchNorm1d(outputs)] if config.batch_norm else []
            self.layers.append(nn.Sequential(nn.Linear(inputs, outputs), *norm, nn.ReLU(inplace=True)))
        self.layers.append(nn.Sequential(nn.Linear(sizes[-1], embedding_size)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

"""Measure augmentation of a batch against transforms of one image at a time, and its share of a training step.

python benchmarks/augmentation.py --batch 256 --side 64 --repeats 5

The reference transforms each image on the CPU with torchvision, as the published code does. Both normalise as well. The
limit is the normalisation of the whole batch alone. The last row is a training step of the field encoder with all
settings; its limit is the same step without them. Rates are by processor time of one core.
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from measuring import alternating, row
from torchvision.transforms import v2

from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.views.images import PUBLISHED_STATISTICS, Images

CHANNELS = 5
SETTINGS: dict[str, dict] = {
    "flips": {"flips": True},
    "quarter_turns": {"quarter_turns": True},
    "intensity_jitter": {"intensity_jitter": 0.2},
    "cutout": {"cutout": 0.25},
}


def jitter(image: torch.Tensor) -> torch.Tensor:
    """Multiply each channel by a random factor from 0.8 to 1.2."""
    return image * torch.empty(len(image), 1, 1).uniform_(0.8, 1.2)


def quarter_turn(image: torch.Tensor) -> torch.Tensor:
    """Turn an image by a random multiple of 90 degrees."""
    return torch.rot90(image, int(torch.randint(4, ())), (1, 2))


#: transforms of one image that correspond to a setting
PLAIN: dict[str, list[Callable]] = {
    "flips": [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()],
    "quarter_turns": [quarter_turn],
    "intensity_jitter": [jitter],
    "cutout": [v2.RandomErasing(p=1, scale=(0.0625, 0.0625), ratio=(1, 1))],
}


def reference(images: torch.Tensor, transforms: list[Callable]) -> torch.Tensor:
    """Transform a batch image by image."""
    normalise = v2.Normalize(PUBLISHED_STATISTICS, PUBLISHED_STATISTICS)
    made = []
    for image in images:
        image = normalise(image.float())
        for transform in transforms:
            image = transform(image)
        made.append(image)
    return torch.stack(made)


def main() -> None:
    """Print one row per setting, and one for a training step with all settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--side", type=int, default=64, help="of square fields, in pixels")
    parser.add_argument("--width", type=int, default=16, help="of the encoder")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shape = options.batch, CHANNELS, options.side, options.side
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    seeds = np.random.SeedSequence(0).generate_state(options.batch)
    encoder = (
        ResNet(layers=(1, 1, 1, 1), width=options.width).build(CHANNELS, 128).to(memory_format=torch.channels_last)
    )
    pixels = torch.randn(shape).to(memory_format=torch.channels_last)

    every = {name: value for settings in SETTINGS.values() for name, value in settings.items()}
    views = {"none": Images(), **{name: Images(**settings) for name, settings in SETTINGS.items()}}
    views["all"] = Images(**every)
    plain = {**PLAIN, "all": [transform for transforms in PLAIN.values() for transform in transforms]}
    work: dict[str, Callable] = {name: lambda view=view: view.augment(images, seeds) for name, view in views.items()}
    for name, transforms in plain.items():
        work[f"{name}, plain"] = lambda transforms=transforms: reference(images, transforms)
    work["step"] = lambda: encoder(pixels).square().sum().backward()
    seconds = alternating(work, options.repeats)
    rates = {name: options.batch / value for name, value in seconds.items()}
    for name in plain:
        print(row(f"augmentation, {name}", "images/s", rates[name], rates[f"{name}, plain"], rates["none"]), flush=True)
    whole = options.batch / (seconds["step"] + seconds["all"])
    print(row("step with augmentation", "images/s", whole, None, options.batch / (seconds["step"] + seconds["none"])))


if __name__ == "__main__":
    main()

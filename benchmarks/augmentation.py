"""Compare the time that each augmentation adds to a batch with that of a training step of the field encoder.

python benchmarks/augmentation.py --batch 256 --side 64 --threads 2
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.views.images import Images

CHANNELS = 5
SETTINGS: dict[str, dict] = {
    "flips": {"flips": True},
    "quarter_turns": {"quarter_turns": True},
    "intensity_jitter": {"intensity_jitter": 0.2},
    "cutout": {"cutout": 0.25},
}


def measure(batch: int, side: int, width: int, repeats: int) -> dict[str, float]:
    """Measure the shortest of ``repeats`` times in seconds: of the view with each setting, and of a step.

    The step is the forward and the backward pass of the encoder. The computations take turns, so that other load on the
    machine slows all of them.
    """
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (batch, CHANNELS, side, side), dtype=np.uint8))
    seeds = np.random.SeedSequence(0).generate_state(batch)
    encoder = ResNet(layers=(1, 1, 1, 1), width=width).build(CHANNELS, 128).to(memory_format=torch.channels_last)
    pixels = torch.randn(images.shape).to(memory_format=torch.channels_last)
    every = {name: value for settings in SETTINGS.values() for name, value in settings.items()}
    views = {name: Images(**settings) for name, settings in ({"none": {}} | SETTINGS | {"all": every}).items()}
    work: dict[str, Callable] = {name: lambda view=view: view.augment(images, seeds) for name, view in views.items()}
    work["step"] = lambda: encoder(pixels).square().sum().backward()
    times = dict.fromkeys(work, float("inf"))
    for _ in range(repeats):
        for name, compute in work.items():
            start = time.perf_counter()
            compute()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def main() -> None:
    """Print one line per setting: what it adds to the view without augmentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--side", type=int, default=64, help="of square fields, in pixels")
    parser.add_argument("--width", type=int, default=16, help="of the encoder")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    times = measure(options.batch, options.side, options.width, options.repeats)
    for name in (*SETTINGS, "all"):
        added = times[name] - times["none"]
        print(f"{name}: {1000 * added:.1f} ms, {added / times['step']:.1%} of a step of {1000 * times['step']:.0f} ms")


if __name__ == "__main__":
    main()

"""Speed and memory of the contrastive fit at the publication's size, on random fields.

PYTHONPATH=src python benchmarks/train_gpu.py [--no-plain] [--json FILE]

It prints the speed of the training (``images_per_second``, ``step_milliseconds``), of reading batches alone
(``loader_``), of embedding (``embedding_``) and of the step alone on synthetic data (``plain_``), the share of the
training in the step alone (``ratio_to_plain``), and the peak memory. It runs ``fit``, the training of the study, with
a ResNet-50 and an MLP of four layers of 1,024, on crops of 320 pixels from memory-mapped uint8 plate files. It needs
torch, torchvision, lightning-fabric, numpy, safetensors and tqdm, but no installation of the project. For a card with
24 GB use ``--micro-batch-size 64``. New fields are still in the cache of the operating system, so the speed of the
disk matters only if the fields exceed the memory.
"""

import argparse
import json
import math
import platform
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from cloome_kedro.learning.batches import prefetch
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData, Side
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import Architecture, PairModel, make_optimizer
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.training_batches import TrainingBatches
from cloome_kedro.learning.validation import Validation
from cloome_kedro.learning.views.base import Rows
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan

BITS, CHANNELS, ROWS = 8192, 5, 384  # ROWS: fields per plate file
OBJECTIVE = InfoNCE()


@cache
def plate(path: Path) -> np.ndarray:
    """Map the fields of a file, once in each process."""
    return np.asarray(np.load(path, mmap_mode="r"))


@dataclass(frozen=True)
class Store:
    """Plate files of ``ROWS`` random fields each; ``store(positions)`` reads fields like the plate store of a study."""

    folder: Path

    def write(self, fields: int, height: int, width: int) -> None:
        rng = np.random.default_rng(0)
        for number, start in enumerate(tqdm(range(0, fields, ROWS), desc="writing random fields", unit="plate")):
            shape = min(ROWS, fields - start), CHANNELS, height, width
            np.save(self._path(number), rng.integers(0, 256, shape, dtype=np.uint8))

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        images = np.empty((len(positions), *plate(self._path(0)).shape[1:]), dtype=np.uint8)
        for i in np.argsort(positions):
            number, row = divmod(int(positions[i]), ROWS)
            images[i] = plate(self._path(number))[row]
        return images

    def _path(self, number: int) -> Path:
        return self.folder / f"plate{number}.npy"


def measure(fields: np.ndarray, compounds: np.ndarray) -> dict[str, float]:
    """Measure top-1 accuracy and the peak memory so far; it runs in the process of the first device."""
    top1 = np.mean((fields @ compounds.T).argmax(axis=1) == np.arange(len(fields)))
    if torch.cuda.is_initialized():
        peak = torch.cuda.max_memory_allocated()
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"top1": float(top1), "peak_gib": peak / 2**30}


def make_model(width: int) -> PairModel:
    with seeded(0):
        return PairModel(Architecture(ResNet(width=width), MLP(), field_inputs=CHANNELS, compound_inputs=BITS))


def make_data(store: Store, fields: int, crop: int, epoch_size: int) -> PairData:
    """Pair every field with a different compound.

    An eighth of the pairs validates. An epoch trains on ``epoch_size`` of the other pairs.
    """
    positions, morgan = np.arange(fields), Morgan(bits=BITS)
    packed = np.random.default_rng(1).integers(0, 256, (fields, BITS // 8), dtype=np.uint8)
    fingerprints = Fingerprints(packed, {"radius": morgan.radius, "bits": BITS, "chirality": morgan.chirality})
    compounds = morgan.rows({"structure_row": positions}, {"fingerprints": fingerprints})
    held_out = max(2, fields // 8)
    return PairData(
        field=Side(Images(crop), Rows(store, np.ones(fields, bool), "random fields")),
        compound=Side(morgan, compounds),
        train=np.resize(positions[held_out:], epoch_size),
        validation=positions[:held_out],
        units=positions,
        keys=positions.astype(str),
    )


def measure_fit(folder: Path, options: argparse.Namespace, config: FitConfig) -> dict[str, float]:
    """Train, and measure the epochs after the first one, which includes compilation and warm-up."""
    data = make_data(Store(folder), options.fields, options.crop, options.steps * config.batch_size)
    state = FitState(folder / "fit_state")
    begin = time.perf_counter()
    recipe = Recipe(OBJECTIVE, config, seed=0)
    history = fit(make_model(options.width), data, recipe, Validation(measure), state).history
    wall = time.perf_counter() - begin
    speeds = np.array([row["fields_per_second"] for row in history])
    seconds = options.steps * config.batch_size / speeds
    waiting = np.array([row["waiting_fraction"] for row in history])
    return {
        "images_per_second": float((options.epochs - 1) * options.steps * config.batch_size / seconds[1:].sum()),
        "step_milliseconds": float(1000 * seconds[1:].sum() / ((options.epochs - 1) * options.steps)),
        "waiting_fraction": float((waiting * seconds)[1:].sum() / seconds[1:].sum()),
        "first_epoch_images_per_second": float(speeds[0]),
        "peak_memory_gib": history[-1]["validation_peak_gib"],
        "train_loss": history[-1]["train_loss"],
        "validation_loss": history[-1]["validation_loss"],
        "wall_seconds": wall,
    }


def measure_loader(folder: Path, options: argparse.Namespace, config: FitConfig) -> float:
    """Measure images per second of reading alone: batches of one device, in memory from which it can copy."""
    data = make_data(Store(folder), options.fields, options.crop, options.steps * config.batch_size)
    pinned = Fabric(accelerator=config.accelerator, devices=1).device.type == "cuda"
    batches = TrainingBatches(data, config, seed=0, devices=config.devices, pin_memory=pinned)
    parts = [batches.local_part(batch) for batch in batches.of_epoch(0)]
    begin = time.perf_counter()
    for _ in tqdm(prefetch(batches.read, parts), total=len(parts), desc="reading", unit="batch"):
        pass
    return len(parts) * len(parts[0]) / (time.perf_counter() - begin)


def measure_embedding(folder: Path, options: argparse.Namespace, config: FitConfig) -> float:
    """Measure images per second of embedding fields, on one device, without compilation."""
    data = make_data(Store(folder), options.fields, options.crop, options.steps * config.batch_size)
    device = Fabric(accelerator=config.accelerator, devices=1).device
    share = config.batch_size // config.devices
    embed = Embedder(make_model(options.width), share, device, precision=config.precision)
    rows = np.resize(np.arange(options.fields), options.steps * share)
    embed("field", data.field.rows.read, rows[:share], data.field.view)  # the first batch is slower
    begin = time.perf_counter()
    embed("field", data.field.rows.read, rows, data.field.view)
    return len(rows) / (time.perf_counter() - begin)


def measure_plain(options: argparse.Namespace, config: FitConfig) -> float:
    """Measure images per second of model and optimiser alone, on one device and a batch that is already there.

    This is the upper limit of the speed of training. Each micro-batch is contrasted within itself and runs only once.
    """
    fabric = Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
    torch.compiler.reset()
    model = make_model(options.width).to(memory_format=torch.channels_last)
    compiled = torch.compile(model) if config.compile else model
    network, optimizer = fabric.setup(compiled, make_optimizer(model, config, fabric.device))
    share = config.batch_size // config.devices
    pieces = -(-share // (config.micro_batch_size or share))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(share, CHANNELS, options.crop, options.crop, generator=generator)
    images = images.to(fabric.device, memory_format=torch.channels_last)
    bits = torch.randint(0, 2, (share, BITS), generator=generator).float().to(fabric.device)
    parts = list(zip(images.tensor_split(pieces), bits.tensor_split(pieces), strict=True))

    def step() -> None:
        optimizer.zero_grad()
        for part in parts:
            fabric.backward(OBJECTIVE(network(*part)) / pieces)
        optimizer.step()

    def run(steps: int) -> float:
        begin = time.perf_counter()
        for _ in tqdm(range(steps), desc="plain", unit="step"):
            step()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    network.train()
    run(3)
    return options.steps * share / run(options.steps)


def device_name(accelerator: str) -> str:
    device = Fabric(accelerator=accelerator, devices=1).device
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--accelerator", default="auto", help="as in lightning-fabric")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--precision", default="bf16-mixed", choices=["32-true", "bf16-mixed", "16-mixed"])
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="torch.compile")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--micro-batch-size", type=int, help="pairs whose activations a device holds at the same time")
    parser.add_argument("--crop", type=int, default=320)
    parser.add_argument("--width", type=int, default=64, help="width of the ResNet-50")
    parser.add_argument("--fields", type=int, default=4 * ROWS, help="fields on disk, 1.8 MB each; an eighth validates")
    parser.add_argument("--field-size", type=int, nargs=2, default=(520, 696), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--steps", type=int, default=30, help="steps per epoch")
    parser.add_argument("--epochs", type=int, default=3, help="epochs; the first one is not counted")
    parser.add_argument(
        "--folder", type=Path, help="folder for the fields during the run, such as one on a disk to test"
    )
    parser.add_argument(
        "--plain",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also measure the training step alone, on a batch that is already on the device",
    )
    parser.add_argument("--json", type=Path, help="file for settings and results")
    options = parser.parse_args(arguments)
    if options.epochs < 2:
        parser.error("--epochs must be at least 2, since the first epoch is not counted")
    if options.fields < 4:
        parser.error("--fields must be at least 4, since two of them validate")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table, write the JSON file."""
    options = parse(arguments)
    config = FitConfig(
        warmup_steps=options.steps,
        batch_size=options.batch_size,
        micro_batch_size=options.micro_batch_size,
        unique_compounds=False,
        epochs=options.epochs,
        precision=options.precision,
        accelerator=options.accelerator,
        devices=options.devices,
        compile=options.compile,
    )
    with tempfile.TemporaryDirectory(prefix="cloome_benchmark_", dir=options.folder) as name:
        folder = Path(name)
        Store(folder).write(options.fields, *options.field_size)
        results = measure_fit(folder, options, config)
        results["loader_images_per_second"] = options.devices * measure_loader(folder, options, config)
        results["embedding_images_per_second"] = options.devices * measure_embedding(folder, options, config)
    results["embedding_to_training"] = results["embedding_images_per_second"] / results["images_per_second"]
    if options.plain:
        results["plain_images_per_second"] = options.devices * measure_plain(options, config)
        results["ratio_to_plain"] = results["images_per_second"] / results["plain_images_per_second"]
        results["embedding_to_plain"] = results["embedding_images_per_second"] / results["plain_images_per_second"]
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    report = {"device": device_name(options.accelerator), "torch": torch.__version__, **settings, **results}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{'device':<32}{report['device']}, torch {torch.__version__}")
    for key, value in results.items():
        print(f"{key:<32}{value:.3f}")
    if not all(map(math.isfinite, results.values())):
        raise SystemExit("a result is not finite")


if __name__ == "__main__":
    main()

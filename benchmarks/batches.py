"""Measure how quickly batches for training come from the plate store, against a plain reference.

python benchmarks/batches.py --fields 128 --batch 64 --crop 320 --repeats 5

The reference is PyTorch's DataLoader with two workers. It reads one npz file per field, and crops and normalises each
image on the CPU. Ours reads the crops of a batch in threads, as the device gets them; a second row also mirrors, turns
and normalises them here, which a GPU does otherwise. The limit is copying the bytes of the crops once. All rates are by
processor time of one core, so that two cores give twice as much.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measuring import alternating, row
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.batches import prefetch
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData, Side
from cloome_kedro.learning.training_batches import TrainingBatches
from cloome_kedro.learning.views.augmentation import cropped
from cloome_kedro.learning.views.images import PUBLISHED_STATISTICS, Images

SHAPE = (len(CHANNELS), 520, 696)


class NpzFields(Dataset):
    """One npz file per field, with transforms on the CPU."""

    def __init__(self, paths: list[Path], crop: int):
        self.paths = paths
        self.transform = v2.Compose([v2.RandomCrop(crop), v2.Normalize(PUBLISHED_STATISTICS, PUBLISHED_STATISTICS)])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with np.load(self.paths[index]) as file:
            sample = file["sample"]
        return self.transform(torch.from_numpy(sample).permute(2, 0, 1).float())


def write(folder: Path, fields: int) -> tuple[PlateStore, list[Path]]:
    """Write fields as a plate of the store, and as npz files."""
    rng, store = np.random.default_rng(0), PlateStore(folder)
    paths = [folder / f"{number}.npz" for number in range(fields)]
    with store.writer("P", "digest", {"channels": list(CHANNELS)}) as writer:
        for path in paths:
            field = rng.integers(0, 256, SHAPE, dtype=np.uint8)
            writer.append(field)
            np.savez(path, sample=field.transpose(1, 2, 0))
        writer.commit(pd.DataFrame({"field_id": [path.stem for path in paths], "row": range(fields)}))
    return store, paths


def load(paths: list[Path], batch: int, crop: int) -> None:
    """Take an epoch from the reference."""
    for images in DataLoader(NpzFields(paths, crop), batch, shuffle=True, num_workers=2, drop_last=True):
        images.sum(dim=(2, 3))[0].tolist()  # the batch is here


def training_batches(store: PlateStore, fields: int, batch: int, crop: int) -> TrainingBatches:
    """Batches as a training takes them, of fields alone."""
    view = Images(crop=crop, flips=True, quarter_turns=True)
    numbers = np.arange(fields)
    rows = view.rows({"plate_file": ["P"] * fields, "row": numbers}, {"plate_store": store})
    data = PairData(Side(view, rows), None, numbers, numbers[:0], units=numbers, keys=numbers)
    return TrainingBatches(data, FitConfig(batch_size=batch), seed=0)


def read(batches: TrainingBatches, augmented: bool) -> None:
    """Take an epoch from the store."""
    epoch = batches.of_epoch(0)
    arrays = prefetch(lambda numbered: batches.load(*numbered), enumerate(epoch))
    for number, (batch, loaded) in enumerate(zip(epoch, arrays, strict=True)):
        if augmented:
            batches.prepared(number, batch, loaded, torch.device("cpu"))


def copies(fields: int, batch: int, crop: int) -> Callable[[], None]:
    """Return a function that copies the bytes of an epoch of crops from memory to memory."""
    source, target = (np.ones((batch, len(CHANNELS), crop, crop), np.uint8) for _ in range(2))

    def copy() -> None:
        for _ in range(fields // batch):
            np.copyto(target, source)

    return copy


def draws(batch: int, crop: int, repeats: int) -> None:
    """Print what a batch costs before a pixel is moved: the draws of crops, flips and turns, against one by one."""
    images = torch.zeros(batch, 1, crop + 1, crop + 1, dtype=torch.uint8)[:, :0]  # without a channel, nothing is moved
    transform, seeds = v2.RandomCrop(crop), np.arange(batch)

    def one_by_one() -> None:
        for image, seed in zip(images, seeds.tolist(), strict=True):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                transform(image)

    work = {
        "ours": lambda: cropped(images, seeds, (crop, crop), flips=True, quarter_turns=True),
        "reference": one_by_one,
    }
    seconds = alternating(work, 4 * repeats)
    print(row(f"draws for {batch} crops", "batches/s", 1 / seconds["ours"], 1 / seconds["reference"]), flush=True)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--crop", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        store, paths = write(Path(name), options.fields)
        batches = training_batches(store, options.fields, options.batch, options.crop)
        work = {
            "ours": partial(read, *(batches, False)),
            "augmented": partial(read, *(batches, True)),
            "reference": partial(load, *(paths, options.batch, options.crop)),
            "limit": copies(options.fields, options.batch, options.crop),
        }
        seconds = alternating(work, options.repeats)
    fields = options.fields // options.batch * options.batch
    rates = {name: fields / value for name, value in seconds.items()}
    print(row("store to batch", "fields/s", rates["ours"], rates["reference"], rates["limit"]), flush=True)
    print(
        row("store to batch, augmented", "fields/s", rates["augmented"], rates["reference"], rates["limit"]), flush=True
    )
    draws(256, 48, options.repeats)


if __name__ == "__main__":
    main()

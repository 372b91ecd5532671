"""Measure the ingestion of a plate against a plain reference, and how it grows with processes and fields.

python benchmarks/ingestion.py --fields 24 --repeats 5 --growth

The reference reads each channel with tifffile, finds the threshold by argpartition, scales in float64, resizes with
torch and writes one npz file per field. The limit is reading and decoding the TIFF files alone. Rates of pairs are by
processor time of one core.
"""

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import imagecodecs
import numpy as np
import pandas as pd
import tifffile
import torch
from measuring import alternating, row

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.plates import ingest_plate
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.parallel import Bar, run_tasks

SHAPE = (520, 696)


def write_plate(folder: Path, plate: str, fields: int) -> pd.DataFrame:
    """Write uncompressed TIFFs of 12 bits, as of Bray et al. 2017; return the table ``field_index``."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"field_id": [f"{plate}-{i:04}" for i in range(fields)], "plate": plate, "bit_depth": 12})
    table = table.assign(well=table["field_id"], site=1)
    for channel in CHANNELS:
        paths = [str(folder / f"{field}-{channel}.tif") for field in table["field_id"]]
        for path in paths:
            image = rng.gamma(2, 120, SHAPE).astype(np.uint16)
            tifffile.imwrite(path, np.minimum(image, 4095), metadata=None)
        table[f"path_{channel}"], table[f"plane_{channel}"] = paths, None
    return table


def reference(table: pd.DataFrame, folder: Path, size: tuple[int, int] | None) -> None:
    """Preprocess a plate field by field, as the publication describes it."""
    for field, *paths in zip(table["field_id"], *(table[f"path_{channel}"] for channel in CHANNELS), strict=True):
        images = []
        for path in paths:
            image = tifffile.imread(path)
            n = round(image.size * 0.0028 / 100)
            threshold = image.ravel()[np.argpartition(image.ravel(), -n)[-n]]
            scaled = np.minimum(image.astype(np.float64) * 256 / threshold, 255)
            images.append(scaled.astype(np.uint8))
        stack = torch.from_numpy(np.stack(images))
        if size:
            stack = torch.nn.functional.interpolate(stack[None].float(), size, mode="area")[0].round().to(torch.uint8)
        np.savez(folder / f"{field}.npz", sample=stack.permute(1, 2, 0).numpy())


def decode(table: pd.DataFrame) -> None:
    """Read and decode the files, and nothing else."""
    for channel in CHANNELS:
        for path in table[f"path_{channel}"]:
            with open(path, "rb") as file:
                imagecodecs.tiff_decode(file.read())


def ingest(store: PlateStore, table: pd.DataFrame, storage: Storage) -> None:
    """Ingest a plate."""
    ingest_plate(store, str(table["plate"].iloc[0]), table, storage, "digest", SHAPE)


def seconds_of(store: PlateStore, table: pd.DataFrame, storage: Storage) -> float:
    """Ingest a plate; return the wall time, without the start of the process."""
    ingest(store, table[:1], storage)  # loads what the first field needs
    start = time.perf_counter()
    ingest(store, table, storage)
    return time.perf_counter() - start


def growth(store: PlateStore, folder: Path, fields: int) -> None:
    """Print the rate with one and several processes, and the processor time per field of larger plates."""
    cores = len(os.sched_getaffinity(0))
    tables = [write_plate(folder, f"P{number}", fields) for number in range(cores)]
    tasks = [(store, table, Storage(size=(260, 348))) for table in tables]

    def run(processes: int) -> float:
        results = run_tasks(seconds_of, tasks, Bar("ingestion", "plate", delay=60), processes)
        return processes * fields * len(tasks) / sum(seconds for _, seconds in results)

    rates: dict[int, list[float]] = {processes: [] for processes in (1, cores)}
    for _ in range(5):
        for processes, values in rates.items():
            values.append(run(processes))
    one, several = (float(np.median(rates[processes])) for processes in (1, cores))
    print(row(f"{cores} processes, wall time", "fields/s", several, one, cores * one), flush=True)
    whole = pd.concat([tables[0].assign(field_id=[f"{i}-{n}" for n in range(fields)]) for i in range(16)])
    whole = whole.assign(well=whole["field_id"])
    sizes = [fields, 4 * fields, 16 * fields]
    seconds = alternating({str(n): partial(ingest, *(store, whole[:n], Storage(size=(260, 348)))) for n in sizes})
    exponent = np.polyfit(np.log(sizes), np.log([seconds[str(n)] for n in sizes]), 1)[0]
    print(f"growth from {sizes[0]} to {sizes[-1]} fields of a plate: time grows as n^{exponent:.2f}", flush=True)


def main() -> None:
    """Print a row per kind of storage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--growth", action="store_true", help="also over processes and fields")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, store = write_plate(folder, "P", options.fields), PlateStore(folder / "store")
        store.folder.mkdir()
        for step, size in (
            ("520 x 696 as they are", None),
            ("520 x 696 to 260 x 348", (260, 348)),
            ("520 x 696 to 224 x 300", (224, 300)),
        ):
            work = {
                "ours": partial(ingest, *(store, table, Storage(size=size))),
                "reference": partial(reference, *(table, folder, size)),
                "limit": partial(decode, table),
            }
            seconds = alternating(work, options.repeats)
            rates = [options.fields / seconds[name] for name in ("ours", "reference", "limit")]
            print(row(f"ingestion, {step}", "fields/s", *rates), flush=True)
        if options.growth:
            growth(store, folder, options.fields)


if __name__ == "__main__":
    main()

"""Fields with discs for nuclei, whose places, sizes and intensities are known, and stores that hold them."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.store import PlateStore

DNA = CHANNELS.index("DNA")
STORAGE = {"channels": list(CHANNELS), **dataclasses.asdict(Storage())}


def disc(shape, centre, radius):
    """Which pixels are in a disc: (H, W) bool."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def planted_field(centres, radius=5, level=200, background=20, shape=(64, 64), seed=0, noise=2):
    """A field with bright discs on DNA and textured discs on the other channels: (5, H, W) uint8."""
    rng = np.random.default_rng(seed)
    images = rng.normal(background, noise, (5, *shape))
    for centre in centres:
        inside = disc(shape, centre, radius)
        images[:, inside] += rng.normal(level / 3, level / 12, (5, inside.sum()))
        images[DNA, inside] = rng.normal(level, noise, inside.sum())
    return np.clip(images, 0, 255).astype(np.uint8)


def grid(n, shape=(64, 64), margin=9, step=15):
    """Centres of up to n discs that do not touch."""
    places = [(y, x) for y in range(margin, shape[0] - margin, step) for x in range(margin, shape[1] - margin, step)]
    return places[:n]


def write_plate(store: PlateStore, name: str, images, digest="made from") -> pd.DataFrame:
    """Write a plate; give its rows of the table ``fields``, as far as profiles read it; every other one a control."""
    ids = [f"s/{name}/A{row + 1:02d}/1" for row in range(len(images))]
    with store.writer(name, digest, STORAGE) as writer:
        rows = [writer.append(field) for field in images]
        writer.commit(pd.DataFrame({"field_id": ids, "row": rows, "reason": None}))
    control = [row % 2 == 0 for row in rows]
    return pd.DataFrame({"field_id": ids, "plate_file": name, "row": rows, "control": control})


def write_screen(folder: Path, plates=("P1", "P2"), fields=20, seed=0) -> tuple[PlateStore, pd.DataFrame]:
    """Write plates of fields with 3 to 9 discs of varying size; the last field of each has none."""
    folder.mkdir()
    store, rng, tables = PlateStore(folder), np.random.default_rng(seed), []
    for name in plates:
        images = [
            planted_field(
                grid(int(rng.integers(3, 10))), rng.uniform(4, 6), rng.uniform(120, 220), seed=int(rng.integers(2**31))
            )
            for _ in range(fields - 1)
        ]
        images.append(planted_field([], seed=int(rng.integers(2**31))))
        tables.append(write_plate(store, name, np.stack(images)))
    return store, pd.concat(tables, ignore_index=True)

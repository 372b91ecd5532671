"""Fields of drawn cells, in which a person could tell the channels apart, and screens of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

from cloome_kedro.imaging.channels import CHANNELS


def draw_field(seed: int, size: int = 128, radius: float = 7.0, cells: int = 12, largest: int = 4000) -> dict:
    """Draw ``{channel: (size, size) uint16}``: nuclei of about this radius, and cytoplasm around them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    places: list[np.ndarray] = []
    while len(places) < cells:
        place = rng.uniform(radius, size - radius, 2)
        if all(np.hypot(*(place - other)) > 3 * radius for other in places):
            places.append(place)
    distance = np.min([np.hypot(rows - y, columns - x) for y, x in places], axis=0)
    nucleus = 1 / (1 + np.exp(2 * (distance - radius)))
    cytoplasm = np.exp(-(((distance - radius) / (1.2 * radius)) ** 2)) * (1 - nucleus)
    noise = rng.normal(size=(2, size, size))
    fine, medium = np.clip(noise[0], -1, 3), ndimage.gaussian_filter(noise[1], 1) * 3
    nucleoli = np.exp(-(((distance - 2) / 2) ** 2))
    channels = {
        "DNA": nucleus,
        "ER": 0.8 * cytoplasm + 0.4 * nucleus,
        "RNA": 0.5 * cytoplasm + 0.6 * nucleus + 0.4 * nucleoli,
        "AGP": cytoplasm * (0.6 + 0.15 * medium) + 0.6 * nucleus,
        "Mito": cytoplasm * np.clip(0.5 + 0.4 * fine, 0, None) + 0.2 * nucleus,
    }
    background = 0.02 * rng.random((len(CHANNELS), size, size))
    return {
        name: (np.clip(channels[name] + noise, 0, 1.2) / 1.2 * largest).astype(np.uint16)
        for name, noise in zip(CHANNELS, background, strict=True)
    }


def write_drawn_screen(
    folder: Path, order: tuple[str, ...], plates=("P1", "P2"), wells=("A01", "B02", "C03", "D04"), sites=1, **drawing
) -> None:
    """Write plates of drawn cells as an Opera Phenix exports them, with a platemap whose first well is DMSO."""
    structures = ["", "CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCC", "CCOC"]
    for p, plate in enumerate(plates):
        (folder / plate).mkdir(parents=True)
        for w, well in enumerate(wells):
            for site in range(1, sites + 1):
                field = draw_field(1000 * p + 10 * w + site, **drawing)
                for number, channel in enumerate(order, 1):
                    row, column = ord(well[0]) - 64, int(well[1:])
                    name = f"r{row:02d}c{column:02d}f{site:02d}p01-ch{number}sk1fk1fl1.tiff"
                    tifffile.imwrite(folder / plate / name, field[channel])
    pd.DataFrame(
        {
            "Well Position": wells,
            "Treatment": ["DMSO", *(f"X{w}" for w in range(1, len(wells)))],
            "SMILES": structures[: len(wells)],
            "Dose (uM)": 5,
            "Mechanism": ["", *("some inhibitor" for _ in wells[1:])],
        }
    ).to_csv(folder / "platemap.csv", index=False)

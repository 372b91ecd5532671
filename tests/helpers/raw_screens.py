"""Small raw screens on disk: plates of four wells with two sites, as an Opera Phenix writes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from cloome_kedro.imaging.sources import Platemap

CHANNELS = {"1": "Mito", "2": "AGP", "3": "RNA", "4": "ER", "5": "DNA"}
SMILES = {"c1": "CCO", "c2": "c1ccccc1O", "c3": "CC(=O)Nc1ccc(O)cc1"}


def write_screen(
    folder: Path,
    side: int = 24,
    largest: int = 60_000,
    dtype: str = "uint16",
    plates: Sequence[str] = ("P1", "P2"),
) -> dict:
    """Write a screen; return the settings of its source.

    Wells A01 to A03 hold the compounds c1 to c3, well A04 holds DMSO.
    """
    generator = np.random.default_rng(0)
    for plate in plates:
        (folder / "images" / plate).mkdir(parents=True)
        for column in range(1, 5):
            for site in (1, 2):
                for channel in CHANNELS:
                    image = generator.integers(0, largest, (side, side)).astype(dtype)
                    image[0, 0] = largest
                    name = f"r01c{column:02d}f{site:02d}p01-ch{channel}sk1fk1fl1.tiff"
                    tifffile.imwrite(folder / "images" / plate / name, image)
    rows = [f"A{column:02d},{name}," for column, name in enumerate([*SMILES, "DMSO"], 1)]
    (folder / "platemap.csv").write_text("\n".join(["well,compound,note", *rows]) + "\n")
    compounds = [f"{name},{smiles}" for name, smiles in SMILES.items()]
    (folder / "compounds.csv").write_text("\n".join(["compound,smiles", *compounds]) + "\n")
    platemap = Platemap(
        "platemap.csv", compounds="compounds.csv", well_column="well", compound_column="compound", name_column=None
    )
    return {
        "name": "phenix",
        "layout": "opera_phenix",
        "folder": "images",
        "channels": CHANNELS,
        "bit_depth": 8 if dtype == "uint8" else 16,
        "platemap": platemap,
    }

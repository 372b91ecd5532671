"""Tiny raw screens, written the way microscopes and compound managers deliver them."""

from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.imaging.wells import well_name

SMILES = ["CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCC", "CCOC"]
OPERA_CHANNELS = {"1": "Mito", "2": "AGP", "3": "RNA", "4": "ER", "5": "DNA"}


def raw_field(rng, size=(24, 32), bit_depth=12):
    """(5, H, W) of dim noise with bright pixels."""
    field = rng.integers(20, 2 ** (bit_depth - 2), (len(CHANNELS), *size))
    field[:, :4, :4] *= 3
    return field.astype(np.uint8 if bit_depth == 8 else np.uint16)


def write_load_data_screen(folder: Path, plates=2, wells=4, sites=2, size=(24, 32), seed=0, compression="zlib"):
    """Write a LoadData screen whose first well is DMSO; give its source as the configuration describes it.

    Plates P1, P2, ... share one platemap. Images have 12 bits.
    """
    rng = np.random.default_rng(seed)
    names = [well_name(1 + i % 16, 1 + i // 16) for i in range(wells)]
    for plate in (f"P{i + 1}" for i in range(plates)):
        rows = []
        images = folder / "images" / plate
        images.mkdir(parents=True)
        for well in names:
            for site in range(1, sites + 1):
                row = {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": site}
                for channel, image in zip(CHANNELS, raw_field(rng, size), strict=True):
                    name = f"{well}_s{site}_{channel}.tiff"
                    tifffile.imwrite(images / name, image, compression=compression)
                    row |= {f"FileName_Orig{channel}": name, f"PathName_Orig{channel}": f"images/{plate}"}
                rows.append(row)
        table = folder / "load_data_csv" / plate / "load_data.csv"
        table.parent.mkdir(parents=True)
        pd.DataFrame(rows).to_csv(table, index=False)
    (folder / "platemaps").mkdir()
    ids = ["", *(f"C{i}" for i in range(1, wells))]
    pd.DataFrame({"well_position": names, "broad_sample": ids, "mmoles_per_liter": 0.005, "solvent": "DMSO"}).to_csv(
        folder / "platemaps/map1.tsv", sep="\t", index=False
    )
    pd.DataFrame({"Assay_Plate_Barcode": [f"P{i + 1}" for i in range(plates)], "Plate_Map_Name": "map1"}).to_csv(
        folder / "barcode_platemap.csv", index=False
    )
    pd.DataFrame(
        {
            "broad_sample": ids[1:],
            "smiles": [SMILES[i % len(SMILES)] for i in range(wells - 1)],
            "pert_iname": [f"name {i}" for i in range(wells - 1)],
            "moa": "some inhibitor",
        }
    ).to_csv(folder / "compounds.csv", index=False)
    return {
        "name": "virtual",
        "layout": "load_data_csv",
        "bit_depth": 12,
        "platemap": {
            "platemaps": "platemaps/{platemap}.tsv",
            "barcodes": "barcode_platemap.csv",
            "compounds": "compounds.csv",
            "concentration_column": "mmoles_per_liter",
            "moa_column": "moa",
        },
    }


def write_opera_screen(
    folder: Path, plates=("Q1",), wells=((4, 8), (1, 1)), sites=(1, 2), suffix=".tiff", bit_depth=16
):
    """Write an Opera Phenix screen; give its source as the configuration describes it.

    Each plate is a folder. Compounds are in the platemap, where the last well is a control by its name.
    """
    rng = np.random.default_rng(7)
    for plate in plates:
        (folder / "opera" / plate).mkdir(parents=True)
        for row, column in wells:
            for site in sites:
                for channel, image in enumerate(raw_field(rng, bit_depth=bit_depth), 1):
                    stem = f"r{row:02d}c{column:02d}f{site:02d}p01-ch{channel}sk1fk1fl1"
                    path = folder / "opera" / plate / (stem + suffix)
                    path.write_bytes(imagecodecs.png_encode(image)) if suffix == ".png" else tifffile.imwrite(
                        path, image
                    )
    rows = [
        {"well_position": well_name(*well), "broad_sample": f"X{i}", "smiles": "CCBr", "pert_iname": f"drug {i}"}
        for i, well in enumerate(wells)
    ]
    rows[-1] |= {"pert_iname": "DMSO", "smiles": "CS(C)=O"}
    pd.DataFrame(rows).to_csv(folder / "opera_platemap.csv", index=False)
    return {
        "name": "opera",
        "layout": "opera_phenix",
        "folder": "opera",
        "channels": OPERA_CHANNELS,
        "bit_depth": bit_depth,
        "platemap": {"platemaps": "opera_platemap.csv"},
    }


def make_source(description: dict, **changes) -> Source:
    """A source from its description in the configuration, with some settings changed."""
    settings = description | changes
    return Source(**settings | {"platemap": Platemap(**settings["platemap"])})


def edit_csv(path: Path, edit):
    """Rewrite a table of text through a function."""
    separator = "\t" if path.suffix == ".tsv" else ","
    edit(pd.read_csv(path, dtype=str, keep_default_na=False, sep=separator)).to_csv(path, index=False, sep=separator)

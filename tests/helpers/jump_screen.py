"""A virtual screen with the folders, tables and columns of JUMP (cpg0016-jump), two sources and 384-well plates."""

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.layout import WELLS
from cloome_kedro.simulation.plates import render_fields
from cloome_kedro.simulation.screen import design_screen
from cloome_kedro.simulation.stains import CHANNELS

BUCKET = "cellpainting-gallery"
DMSO, EMPTY = "JCP2022_033924", "JCP2022_999999"
#: source, batch, plate, type of the plate, and the folder of its images
PLATES = (
    ("source_2", "20210607_Batch_2", "1053601756", "COMPOUND", "1053601756"),
    ("source_8", "J1", "A1170383", "COMPOUND", "A1170383/Images"),
    ("source_8", "J1", "A1170384", "DMSO", "A1170384/Images"),
)
#: numbers of the channels in file names
NUMBERS = {"DNA": 1, "ER": 2, "RNA": 3, "AGP": 4, "Mito": 5}


def write_jump_screen(gallery: Path, metadata: Path, compounds: int = 24, controls: int = 8, size: int = 32) -> None:
    """Write images and LoadData tables below ``gallery``, the bucket, and the tables of the screen to ``metadata``.

    All 384 wells of each plate are in ``well.csv.gz``. Only those with a compound or a control have images.
    """
    config = ScreenConfig(
        compounds=compounds, platemaps=1, replicates=2, control_wells=controls, field_size=size, assays=0
    )
    design = design_screen(config)
    ids = {compound: f"JCP2022_{number:06d}" for number, compound in enumerate(design.compounds["compound_id"], 100)}
    truth = dict(list(design.truth.groupby("plate")))
    wells, barcodes = [], [str(plate) for plate in truth]
    for number, (source, batch, plate, kind, folder) in enumerate(PLATES):
        treated = truth[barcodes[number % len(barcodes)]]
        if kind == "COMPOUND":
            _write_plate(gallery, (source, batch, plate, folder), treated, config)
        content = dict(zip(treated["well"], treated["compound_id"].map(ids).fillna(DMSO), strict=True))
        wells += [(source, plate, well, content.get(well, EMPTY)) for well in WELLS]
    metadata.mkdir(parents=True, exist_ok=True)
    columns = ["Metadata_Source", "Metadata_Plate", "Metadata_Well", "Metadata_JCP2022"]
    pd.DataFrame(wells, columns=columns).to_csv(metadata / "well.csv.gz", index=False)
    columns = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_PlateType"]
    pd.DataFrame([plate[:4] for plate in PLATES], columns=columns).to_csv(metadata / "plate.csv.gz", index=False)
    _compounds(design.compounds, ids).to_csv(metadata / "compound.csv.gz", index=False)


def _compounds(compounds: pd.DataFrame, ids: dict[str, str]) -> pd.DataFrame:
    from rdkit import Chem

    molecules = [Chem.MolFromSmiles(smiles) for smiles in [*compounds["smiles"], "CS(C)=O"]]
    return pd.DataFrame(
        {
            "Metadata_JCP2022": [*compounds["compound_id"].map(ids), DMSO],
            "Metadata_InChIKey": [Chem.MolToInchiKey(molecule) for molecule in molecules],
            "Metadata_InChI": [Chem.MolToInchi(molecule) for molecule in molecules],
            "Metadata_SMILES": [Chem.MolToSmiles(molecule) for molecule in molecules],
        }
    )


def _write_plate(gallery: Path, names: tuple[str, str, str, str], wells: pd.DataFrame, config: ScreenConfig) -> None:
    source, batch, plate, folder = names
    phenotypes = wells.filter(like="realised_").to_numpy()
    fields = render_fields(phenotypes, config.field_size, config.seed, plate, list(wells["well"]), [1] * len(wells))
    path = f"cpg0016-jump/{source}/images/{batch}/images/{folder}"
    (gallery / path).mkdir(parents=True)
    rows = []
    for well, field in zip(wells["well"], fields.astype(np.uint16) * 16, strict=True):
        row = {"Metadata_Source": source, "Metadata_Batch": batch, "Metadata_Plate": plate, "Metadata_Well": well}
        row["Metadata_Site"] = 1
        for channel, image in zip(CHANNELS, field, strict=True):
            name = _file_name(source, plate, well, channel)
            tifffile.imwrite(gallery / path / name, image, compression="lzw")
            illum = f"s3://{BUCKET}/cpg0016-jump/{source}/images/{batch}/illum/{plate}"
            row |= {
                f"FileName_Orig{channel}": name,
                f"PathName_Orig{channel}": f"s3://{BUCKET}/{path}/",  # with a slash at its end, unlike the next one
                f"FileName_Illum{channel}": f"{plate}_Illum{channel}.npy",
                f"PathName_Illum{channel}": illum,
            }
        rows.append(row)
    functions = gallery / f"cpg0016-jump/{source}/images/{batch}/illum/{plate}"
    functions.mkdir(parents=True)
    for number, channel in enumerate(CHANNELS):  # brighter to the right, as CellProfiler scales them
        rise = np.maximum(np.linspace(1, 1.2 + 0.1 * number, config.field_size), 1.02) / 1.02
        np.save(functions / f"{plate}_Illum{channel}.npy", np.tile(rise, (config.field_size, 1)))
    table = gallery / f"cpg0016-jump/{source}/workspace/load_data_csv/{batch}/{plate}/load_data_with_illum.parquet"
    table.parent.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(table, index=False)


def _file_name(source: str, plate: str, well: str, channel: str) -> str:
    if source == "source_2":  # CV8000
        return f"{plate}_{well}_T0001F001L01A0{NUMBERS[channel]}Z01C0{NUMBERS[channel]}.tif"
    number = uuid.uuid5(uuid.NAMESPACE_OID, plate + well + channel)
    return f"HTS_{well}_s1_w{NUMBERS[channel]}{str(number).upper()}.tif"  # ImageXpress

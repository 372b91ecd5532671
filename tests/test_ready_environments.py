"""The environments of the Cell Painting Gallery, on small folders with the gallery's folders, tables and columns.

tests/test_jump_s3.py runs cpg0016.
"""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.parameters import IngestionParameters
from environments import ROOT, configured

LINCS = "2016_04_01_a549_48hr_batch1"


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """Folder in the place of the bucket's; tables of the user are in data/01_raw of the present folder."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)  # the folder is a project of its own
    monkeypatch.chdir(tmp_path)
    return tmp_path / "gallery"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((8, 8), 5, np.uint16))


def index(gallery, env, **changes):
    ingestion = IngestionParameters.model_validate(configured("parameters", env)["ingestion"])
    sources = [replace(source, **changes) for source in ingestion.sources]
    fields, compounds, rejected = index_screen(gallery, ingestion.screen, sources, ingestion.missing)
    assert rejected.empty
    return fields, compounds.set_index("compound_id")


def test_cpg0012(gallery, tmp_path):
    """Wells in lower case, barcodes with a separator of thousands, folders of another machine."""
    stains = dict(zip(CHANNELS, ["Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"], strict=True))
    for plate in ("24277", "24278", "24279"):
        rows = []
        for well in ("a01", "b02"):
            row = {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": 1}
            for stain in stains.values():
                name = f"cdp2bioactives_{well}_s1_w1{stain}.tif"
                write_image(gallery / f"images/CDRP/images/{plate}/{name}")
                row |= {
                    f"FileName_{stain}": name,
                    f"PathName_{stain}": f"/home/ubuntu/bucket/images/CDRP/images/{plate}",
                }
            rows.append(row)
        table = gallery / f"workspace/load_data_csv/CDRP/{plate}/load_data.csv"
        write(table, pd.DataFrame(rows).to_csv(index=False))
    folder = gallery / "workspace/metadata/platemaps/CDRP"
    barcodes = 'Assay_Plate_Barcode,Plate_Map_Name\n"24,277",H-BIOA-001-3\n"24,278",H-BIOA-001-3\n'
    write(folder / "barcode_platemap.csv", barcodes)
    write(
        folder / "platemap/H-BIOA-001-3.txt",
        "plate_map_name\twell_position\tbroad_sample\tmg_per_ml\tmmoles_per_liter\tsolvent\n"
        "H-BIOA-001-3\tA01\tDMSO\t\t\tDMSO\nH-BIOA-001-3\tB02\tBRD-K08693008-001-01-9\t2.1\t5.0\tDMSO\n",
    )
    write(
        tmp_path / "data/01_raw/cpg0012/chemical_annotations.csv",
        "BROAD_ID,CPD_NAME,CPD_NAME_TYPE,CPD_SAMPLE_ID,CPD_SMILES\nBRD-K08693008-001-01-9,a name,common,SA1,CCO\n",
    )
    fields, compounds = index(gallery, "cpg0012")
    assert fields.groupby("plate")["well"].agg(list).to_dict() == {"24277": ["A01", "B02"], "24278": ["A01", "B02"]}
    assert fields["control"].tolist() == [True, False] * 2
    assert fields["concentration_um"].dropna().tolist() == [5000.0] * 2
    assert compounds.loc["BRD-K08693008-001-01-9", ["smiles", "name"]].tolist() == ["CCO", "a name"]
    assert fields["path_DNA"].str.endswith("Hoechst.tif").all()


def write_lincs_tables(gallery, tmp_path):
    folder = gallery / f"workspace/metadata/platemaps/{LINCS}"
    write(
        folder / "barcode_platemap.csv",
        "Assay_Plate_Barcode,Plate_Map_Name,Batch_Number,Batch_Date\nSQ00015201,C-7161-01-LM6-017,1,2016-03-22\n"
        "SQ00015116,C-7161-01-LM6-001,2,2016-04-05\n",
    )
    for name in ("C-7161-01-LM6-001", "C-7161-01-LM6-017"):
        write(
            folder / f"platemap/{name}.txt",
            "plate_map_name\twell_position\tbroad_sample\tmg_per_ml\tmmoles_per_liter\tsolvent\n"
            f"{name}\tA01\t\t\t\tDMSO\n{name}\tA07\tBRD-K25114078-003-08-1\t1.10546\t9.99999999999999999\tDMSO\n",
        )
    write(
        tmp_path / "data/01_raw/cpg0004/metadata/moa/repurposing_info.tsv",
        "broad_id\tpert_iname\tclinical_phase\tmoa\ttarget\tsmiles\tInChIKey\n"
        "BRD-K25114078-001-09-2\tamonafide\tPhase 3\ttopoisomerase inhibitor\tTOP2A\tCCN\tKEY\n",
    )


PLATES = {
    "SQ00015201": "SQ00015201__2016-04-21T03_34_00-Measurement1",
    "SQ00015116": "SQ00015116__2016-05-01T10_00_00-Measurement1",
}
NUMBERS = dict(zip(("DNA", "ER", "RNA", "AGP", "Mito"), range(1, 6), strict=True))


def write_lincs_images(gallery):
    paths = {}
    for plate, folder in PLATES.items():
        for well, place in (("A01", "r01c01"), ("A07", "r01c07")):
            for channel, number in NUMBERS.items():
                path = f"images/{LINCS}/images/{folder}/Images/{place}f01p01-ch{number}sk1fk1fl1.tiff"
                write_image(gallery / path)
                paths[plate, well, channel] = f"s3://cellpainting-gallery/cpg0004-lincs/broad/{path}"
    return paths


def check_lincs(fields, compounds):
    assert sorted(fields["plate"].unique()) == sorted(PLATES)
    assert fields["control"].tolist() == [True, False] * 2
    np.testing.assert_allclose(fields["concentration_um"].dropna(), [10, 10])
    expected = ["CCN", "amonafide", "topoisomerase inhibitor"]
    assert compounds.loc["BRD-K25114078", ["smiles", "name", "moa"]].tolist() == expected
    assert fields["path_RNA"].str.contains("-ch3").all()


def test_cpg0004(gallery, tmp_path):
    """LoadData tables with addresses, as the documentation of the gallery describes them."""
    write_lincs_tables(gallery, tmp_path)
    paths = write_lincs_images(gallery)
    for plate in PLATES:
        rows = [
            {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": 1}
            | {f"URL_Orig{channel}": paths[plate, well, channel] for channel in NUMBERS}
            for well in ("A01", "A07")
        ]
        table = gallery / f"workspace/load_data_csv/{LINCS}/{plate}/load_data.csv"
        write(table, pd.DataFrame(rows).to_csv(index=False))
    check_lincs(*index(gallery, "cpg0004"))


def test_cpg0004_without_tables(gallery, tmp_path):
    """The settings in the comment of its parameters."""
    write_lincs_tables(gallery, tmp_path)
    write_lincs_images(gallery)
    files = f"images/{LINCS}/images/{{plate}}__*/Images/*-ch[1-5]*"
    channels = {str(number): channel for channel, number in NUMBERS.items()}
    check_lincs(*index(gallery, "cpg0004", layout="opera_phenix", files=files, channels=channels))

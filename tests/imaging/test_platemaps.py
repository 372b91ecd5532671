from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.config import Platemap
from cloome_kedro.imaging.platemaps import annotate_wells, merge_compounds

WELLS = pd.DataFrame({"plate": ["P1", "P1", "P2"], "well": ["A01", "D08", "D08"]})


def write(folder, name, text):
    (folder / name).write_text(text)
    return name


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "barcodes.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\nP2,m2\n")
    write(tmp_path, "m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nA1\t\t\nd8\tC1\t0.005\n")
    write(tmp_path, "m2.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nD08\tC2\t0.01\n")
    write(tmp_path, "compounds.csv", "broad_sample,smiles,pert_iname\nC1,CCO,ethanol\nC2,CCN,\nC3,,none\n")
    return tmp_path


PLATEMAP = Platemap(
    platemaps="{platemap}.tsv",
    barcodes="barcodes.csv",
    compounds="compounds.csv",
    concentration_column="mmoles_per_liter",
)


def test_wells_get_the_compound_of_their_plates_platemap(folder):
    wells, compounds = annotate_wells(WELLS, folder, PLATEMAP)
    assert wells[["plate", "well"]].equals(WELLS)
    assert wells["compound_id"].tolist() == [None, "C1", "C2"]
    assert wells["control"].tolist() == [True, False, False]
    np.testing.assert_allclose(wells["concentration_um"], [np.nan, 5, 10])
    assert wells["reason"].isna().all()
    assert compounds["compound_id"].tolist() == ["C1", "C2", "C3"]
    assert compounds["smiles"].fillna("missing").tolist() == ["CCO", "CCN", "missing"]
    assert compounds["name"].fillna("missing").tolist() == ["ethanol", "missing", "none"]


def test_one_platemap_with_its_compounds_inside(tmp_path):
    write(tmp_path, "map.csv", "well_position,broad_sample,smiles,pert_iname\nA01,DMSO,,\nD08,B1,CCO,x\n")
    wells, compounds = annotate_wells(WELLS, tmp_path, Platemap("map.csv"))
    assert wells["compound_id"].tolist() == ["DMSO", "B1", "B1"]
    assert wells["control"].tolist() == [True, False, False]
    assert wells["concentration_um"].isna().all()
    assert set(compounds["compound_id"]) == {"DMSO", "B1"}


def test_controls_by_name_whatever_the_case(folder):
    wells, _ = annotate_wells(WELLS, folder, replace(PLATEMAP, controls=("Ethanol", "")))
    assert wells["control"].tolist() == [True, True, False]
    assert wells["compound_id"].tolist() == [None, "C1", "C2"]


def test_a_compound_without_a_name_is_not_a_control(folder):
    wells, _ = annotate_wells(WELLS, folder, replace(PLATEMAP, controls=("",)))
    assert wells["control"].tolist() == [True, False, False]


def test_wells_that_cannot_be_used_say_why(folder):
    write(folder, "m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nA01\t\t\n")
    write(folder, "m2.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nD08\tC9\t\n")
    wells, _ = annotate_wells(WELLS, folder, replace(PLATEMAP, controls=("DMSO",)))
    empty, absent, unknown = wells["reason"]
    assert empty == f"well without compound: its cell is empty in {folder / 'm1.tsv'}"
    assert absent == f"well without compound: it is not in {folder / 'm1.tsv'}"
    assert unknown == "compound C9 of this well is not in compounds.csv"
    assert wells["compound_id"].isna().all()


@pytest.mark.parametrize(
    ("column", "unit", "factor"), [("umoles_per_liter", None, 1), ("dose", "nM", 1e-3), ("mmoles_per_liter", "uM", 1)]
)
def test_concentrations_come_in_micromolar(tmp_path, column, unit, factor):
    write(tmp_path, "map.csv", f"well_position,broad_sample,smiles,pert_iname,{column}\nA01,a,C,a,4\nD08,b,C,b,\n")
    platemap = Platemap("map.csv", concentration_column=column, concentration_unit=unit)
    wells, _ = annotate_wells(WELLS, tmp_path, platemap)
    np.testing.assert_allclose(wells["concentration_um"], [4 * factor, np.nan, np.nan])


def test_a_unit_that_nothing_tells_is_asked_for(tmp_path):
    write(tmp_path, "map.csv", "well_position,broad_sample,smiles,pert_iname,dose\nA01,a,C,a,4\n")
    with pytest.raises(ValueError, match=r"unit of dose in .*map.csv is unknown: set `concentration_unit`"):
        annotate_wells(WELLS, tmp_path, Platemap("map.csv", concentration_column="dose"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m1.tsv", None, r"there is no table .*m1.tsv"),
        ("barcodes.csv", None, r"there is no table .*barcodes.csv"),
        ("compounds.csv", None, r"there is no table .*compounds.csv"),
        ("m1.tsv", "well\tbroad_sample\n", r"m1.tsv has no column well_position, mmoles_per_liter"),
        ("compounds.csv", "broad_sample,SMILES\n", r"compounds.csv has no column smiles, pert_iname"),
        ("barcodes.csv", "plate,map\n", r"barcodes.csv has no column Assay_Plate_Barcode, Plate_Map_Name"),
        ("barcodes.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\n", r"barcodes.csv has no platemap for plate P2"),
        (
            "barcodes.csv",
            "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\nP2,m2\nP1,m2\n",
            r"barcodes.csv gives plate P1 two platemaps",
        ),
        (
            "m1.tsv",
            "well_position\tbroad_sample\tmmoles_per_liter\nA01\tC1\t1\nA1\tC2\t1\n",
            r"m1.tsv has well A01 twice, with different contents",
        ),
        (
            "m1.tsv",
            "well_position\tbroad_sample\tmmoles_per_liter\nA01\tC1\thigh\n",
            r"m1.tsv, well A01: mmoles_per_liter 'high' is not a number",
        ),
        (
            "m1.tsv",
            "well_position\tbroad_sample\tmmoles_per_liter\nA01\tC1\t1\n1A\t\t\n",
            r"m1.tsv, line 3: .*'1A' is not a well",
        ),
        (
            "compounds.csv",
            "broad_sample,smiles,pert_iname\nC1,CCO,a\nC2,CCN,b\nC1,CCC,a\n",
            r"compound C1 has two structures: CCO in .*compounds.csv and CCC in .*compounds.csv",
        ),
    ],
)
def test_what_the_tables_lack_stops_at_once(folder, name, text, message):
    (folder / name).unlink() if text is None else write(folder, name, text)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        annotate_wells(WELLS, folder, PLATEMAP)


def test_a_pattern_needs_barcodes(folder):
    with pytest.raises(ValueError, match="needs `barcodes`"):
        annotate_wells(WELLS, folder, replace(PLATEMAP, barcodes=None))


def test_repeated_rows_that_agree_are_one(folder):
    (folder / "m2.tsv").write_text((folder / "m2.tsv").read_text() + "D8\tC2\t0.01\n")
    wells, _ = annotate_wells(WELLS, folder, PLATEMAP)
    assert len(wells) == 3


def test_two_sources_may_share_compounds_but_not_an_id():
    def table(smiles):
        return pd.DataFrame({"compound_id": ["a", "b"], "smiles": [smiles, None], "name": ["x", None], "moa": None})

    both = merge_compounds([("one", table(None)), ("two", table("C")), ("three", table("C"))])
    assert both["compound_id"].tolist() == ["a", "b"]
    assert both["smiles"][0] == "C"
    with pytest.raises(ValueError, match="compound a has two structures: C in one and CC in two"):
        merge_compounds([("one", table("C")), ("two", table("CC"))])

import gzip
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.platemaps import annotate_wells, merge_compounds
from cloome_kedro.imaging.sources import Platemap

WELLS = pd.DataFrame({"plate": ["P1", "P1", "P2"], "well": ["A01", "D08", "D08"]})


def write(folder, name, text):
    (folder / name).write_text(text)
    return name


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "barcodes.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\nP2,m2\n")
    write(tmp_path, "m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nA1\t\t\nd8\tC1\t0.005\n")
    write(tmp_path, "m2.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nD08\tC2\t0.01\n")
    write(tmp_path, "compounds.csv", "broad_sample,smiles,pert_iname\nC1,CCO,ethanol\nC2,CCN,\nC3,,third\n")
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
    assert compounds["name"].fillna("missing").tolist() == ["ethanol", "missing", "third"]


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
    assert empty == (
        f"well without compound: its cell in {folder / 'm1.tsv'} is ''. If such wells are controls, add it to "
        "platemap.controls"
    )
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
    with pytest.raises(ValueError, match=r"unit of dose in .*map.csv is unknown: set `platemap.concentration_unit`"):
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
        (
            "barcodes.csv",
            "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\n",
            r"barcodes.csv has no platemap for 1 of 2 plates: P2. Its plates are P1; add",
        ),
        (
            "barcodes.csv",
            "Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\nP2,m2\nP1,m2\n",
            r"barcodes.csv gives plate P1 several platemaps: m1 \(line 2\), m2 \(line 4\)",
        ),
        (
            "m1.tsv",
            "well_position\tbroad_sample\tmmoles_per_liter\n1A\tC1\t1\n1D\t\t\n",
            r"m1.tsv, line 2: well_position '1A' is not a well; write it like D08, or correct `platemap.well_column`",
        ),
        ("m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\n", "m1.tsv has a header but no rows"),
        ("barcodes.csv", "Assay_Plate_Barcode,Plate_Map_Name\n", "barcodes.csv has a header but no rows"),
        ("compounds.csv", "broad_sample,smiles,pert_iname\n", "compounds.csv has a header but no rows"),
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


def test_names_of_columns_of_barcodes_are_parameters(folder):
    write(folder, "barcodes.csv", "Plate;Map\nP1;m1\nP2;m2\n")
    with pytest.raises(ValueError, match=r"Set `platemap.barcode_column` and `platemap.platemap_column` to the name"):
        annotate_wells(WELLS, folder, PLATEMAP)
    platemap = replace(PLATEMAP, barcode_column="Plate", platemap_column="Map")
    assert annotate_wells(WELLS, folder, platemap)[0]["compound_id"].tolist() == [None, "C1", "C2"]


# ---- words for a missing value

WORDS = ["NA", "N/A", "NaN", "nan", "None", "null", "-", "?", "unknown", "Not available", "-666", "-666.0"]


@pytest.mark.parametrize("word", ["", " ", *WORDS])
def test_missing_mechanisms_names_structures_and_concentrations(tmp_path, word):
    text = f"well_position,broad_sample,smiles,pert_iname,moa,dose_uM\nA01,C1,{word},{word},{word},{word}\n"
    write(tmp_path, "map.csv", text + "D08,C2,CCN,NAD+,a inhibitor| x |" + word + ",2\n")
    platemap = Platemap("map.csv", concentration_column="dose_uM", concentration_unit="uM", moa_column="moa")
    wells, compounds = annotate_wells(WELLS, tmp_path, platemap)
    assert compounds.loc[0, ["smiles", "name", "moa"]].isna().all()
    assert compounds.loc[1].tolist() == ["C2", "CCN", "NAD+", "a inhibitor|x"]
    np.testing.assert_array_equal(wells["concentration_um"], [np.nan, 2, 2])
    assert wells["reason"].isna().all()


@pytest.mark.parametrize("word", WORDS)
def test_a_missing_compound_is_a_control_only_if_the_parameter_says_so(folder, word):
    write(folder, "m1.tsv", f"well_position\tbroad_sample\tmmoles_per_liter\nA01\t{word}\t\nD08\tC1\t\n")
    wells, _ = annotate_wells(WELLS, folder, PLATEMAP)
    assert wells["control"].tolist() == [False, False, False]
    assert wells["reason"].tolist()[1:] == [None, None]
    assert (
        f"m1.tsv is '{word}', which means missing. If such wells are controls, add it to platemap" in wells["reason"][0]
    )
    wells, _ = annotate_wells(WELLS, folder, replace(PLATEMAP, controls=("DMSO", word.lower())))
    assert wells["control"].tolist() == [True, False, False]
    assert wells["reason"].isna().all()


def test_a_missing_compound_with_the_name_of_a_control(folder):
    """The tables of compounds of JUMP have the row NA with the name DMSO."""
    write(folder, "m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nA01\tNA\t\nD08\tC1\t\n")
    write(folder, "compounds.csv", "broad_sample,smiles,pert_iname\nNA,CS(C)=O,DMSO\nC1,CCO,c\nC2,CCN,NA\n")
    wells, compounds = annotate_wells(WELLS, folder, replace(PLATEMAP, controls=("dmso",)))
    assert wells["control"].tolist() == [True, False, False]
    assert wells["reason"].isna().all()
    assert compounds["compound_id"].tolist() == ["C1", "C2"]


def test_a_compound_that_is_really_called_na(folder):
    write(folder, "m1.tsv", "well_position\tbroad_sample\tmmoles_per_liter\nA01\tNA\tNA\nD08\tC1\t-\n")
    write(folder, "compounds.csv", "broad_sample,smiles,pert_iname\nNA,CO,unknown\nC1,CCO,NA\nC2,CCN,c\n")
    wells, compounds = annotate_wells(WELLS, folder, PLATEMAP)
    assert compounds["compound_id"].tolist() == ["C1", "C2"]
    assert "if it is a compound, take it out of `missing`" in wells["reason"][0]
    wells, compounds = annotate_wells(WELLS, folder, PLATEMAP, missing=("unknown", "-"))
    assert wells["compound_id"].tolist() == ["NA", "C1", "C2"]
    assert compounds["name"].fillna("missing").tolist() == ["missing", "NA", "c"]
    assert "line 2: mmoles_per_liter 'NA' is not a number" in wells["reason"][0]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        *(
            ("high", "is not a number"),
            ("10 uM", "is not a number"),
            ("1e", "is not a number"),
            ("0,5", "is not a num"),
        ),
        *(("-1", "is negative"), ("-0.001", "is negative"), ("inf", "is not finite"), ("-Inf", "is not finite")),
        *(("Infinity", "is not finite"), ("1e999", "is not finite")),
    ],
)
def test_a_bad_concentration_sets_its_well_aside(folder, written, problem):
    text = f"well_position\tbroad_sample\tmmoles_per_liter\nA01\t\t{written}\nD08\tC1\t{written}\n"
    write(folder, "m1.tsv", text)
    wells, _ = annotate_wells(WELLS, folder, PLATEMAP)
    assert wells["control"].tolist() == [True, False, False], "a control needs no concentration"
    assert wells["reason"].isna().tolist() == [True, False, True]
    assert wells["reason"][1].startswith(f"{folder / 'm1.tsv'}, line 3: mmoles_per_liter {written!r} {problem}")
    np.testing.assert_allclose(wells["concentration_um"], [np.nan, np.nan, 10])


def test_a_decimal_comma_of_a_table_with_semicolons(tmp_path):
    write(tmp_path, "map.csv", "well_position;broad_sample;smiles;pert_iname;dose\nA1;a;C;a;0,5\nD8;b;C;b;1e1\n")
    platemap = Platemap("map.csv", concentration_column="dose", concentration_unit="uM")
    wells, _ = annotate_wells(WELLS, tmp_path, platemap)
    np.testing.assert_allclose(wells["concentration_um"], [0.5, 10, 10])


# ---- tables of plates and wells

LONG = "{plate},{well},broad_sample,smiles,pert_iname\nP1,A01,C1,C,a\nP2,d8,C2,CC,b\nP1,D08,C3,CCC,c\nP9,A01,C4,CO,d\n"


@pytest.mark.parametrize(
    "plate",
    [
        *("Metadata_Plate", "Plate", "plate", "PLATE", "plate_name", "Plate ID", "plate_barcode", "Barcode"),
        *("Image_Plate", "Assay_Plate_Barcode", "Metadata_plate_id"),
    ],
)
def test_a_table_of_plates_and_wells_is_joined_by_both(tmp_path, plate):
    write(tmp_path, "wells.csv", LONG.format(plate=plate, well="well_position"))
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("wells.csv"))
    assert wells["compound_id"].tolist() == ["C1", "C3", "C2"]
    assert wells["reason"].isna().all()


def test_a_well_table_of_jump(tmp_path):
    text = "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022\n"
    text += "source_1,P1,A01,JCP1\nsource_1,P1,D08,JCP2\nsource_1,P2,D08,JCP3\n"
    (tmp_path / "well.csv.gz").write_bytes(gzip.compress(text.encode()))
    write(tmp_path, "compound.csv", "Metadata_JCP2022,Metadata_SMILES\nJCP1,C\nJCP2,CC\nJCP3,CCC\n")
    platemap = Platemap(
        *("well.csv.gz", None, "compound.csv"),
        well_column="Metadata_Well",
        compound_column="Metadata_JCP2022",
        smiles_column="Metadata_SMILES",
        name_column=None,
    )
    assert annotate_wells(WELLS, tmp_path, platemap)[0]["compound_id"].tolist() == ["JCP1", "JCP2", "JCP3"]


def test_a_plate_that_a_long_table_lacks_is_set_aside(tmp_path):
    """A table of one plate is not the platemap of the others."""
    text = LONG.format(plate="Plate", well="well_position").replace("P2", "P3")
    path = tmp_path / write(tmp_path, "wells.csv", text)
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("wells.csv"))
    assert wells["compound_id"].tolist() == ["C1", "C3", None]
    assert wells["reason"].tolist() == [None, None, f"well without compound: plate P2 is not in {path}"]
    write(tmp_path, "wells.csv", text.replace("P1,D08", "P1,E08"))
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("wells.csv"))
    assert wells["reason"][1] == f"well without compound: it is not in {path}"


def test_the_column_of_plates_is_a_parameter(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path, "wells.csv", LONG.format(plate="library", well="well_position"))
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("wells.csv", plate_column="library"))
    assert wells["compound_id"].tolist() == ["C1", "C3", "C2"]
    with pytest.raises(ValueError, match=r"has no column Plate; its columns are library, .* `platemap.plate_column`"):
        annotate_wells(WELLS, tmp_path, Platemap("wells.csv", plate_column="Plate"))
    assert "wells.csv has no column of plates" not in caplog.text
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("wells.csv"))
    assert "wells.csv has no column of plates, so it is the platemap of all 2 plates" in caplog.text
    assert "broad_sample is C1 (line 2) and C4 (line 5). If the table lists several plates, name" in wells["reason"][0]


def test_a_column_of_other_plates(tmp_path):
    write(tmp_path, "map.csv", "plate,well_position,broad_sample,smiles,pert_iname\nLib1,A01,a,C,a\nLib2,D08,b,CC,b\n")
    with pytest.raises(ValueError, match=r"has none of the plates of the images \(P1, P2\); its plates are Lib1, Lib2"):
        annotate_wells(WELLS, tmp_path, Platemap("map.csv"))
    wells, _ = annotate_wells(WELLS, tmp_path, Platemap("map.csv", plate_column=""))
    assert wells["compound_id"].tolist() == ["a", "b", "b"]


def test_plates_are_text(tmp_path):
    wells = pd.DataFrame({"plate": ["007", "7"], "well": ["A01", "A01"]})
    write(tmp_path, "map.csv", "Plate,well_position,broad_sample,smiles,pert_iname\n007,A01,a,C,a\n7,A01,b,CC,b\n")
    assert annotate_wells(wells, tmp_path, Platemap("map.csv"))[0]["compound_id"].tolist() == ["a", "b"]


def test_the_column_of_plates_does_not_count_where_barcodes_give_the_platemap(folder):
    text = (folder / "m1.tsv").read_text().splitlines()
    write(folder, "m1.tsv", "\n".join(["plate\t" + text[0], *("Lib1\t" + line for line in text[1:])]))
    assert annotate_wells(WELLS, folder, PLATEMAP)[0]["compound_id"].tolist() == [None, "C1", "C2"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("D8\tC2\t0.005", "broad_sample is C1 (line 3) and C2 (line 4)"),
        ("d08\tC1\t0.01", "concentration_um is 5.0 (line 3) and 10.0 (line 4)"),
        ("D08\tC1\tNA", "concentration_um is 5.0 (line 3) and nothing (line 4)"),
        ("D08\t\t0.005", "broad_sample is C1 (line 3) and nothing (line 4)"),
        ("D08\tC1\t0.0050", None),
    ],
)
def test_a_well_that_is_listed_twice(folder, second, reason):
    text = "well_position\tbroad_sample\tmmoles_per_liter\nA1\t\t\nD08\tC1\t0.005\n"
    write(folder, "m1.tsv", text + second + "\n")
    wells, _ = annotate_wells(WELLS, folder, PLATEMAP)
    assert wells["reason"].isna().tolist() == [True, reason is None, True]
    assert reason is None or f"m1.tsv lists this well with different contents: {reason}" in wells["reason"][1]


def test_rows_without_a_well_are_left_out(folder, caplog):
    write(folder, "m2.tsv", (folder / "m2.tsv").read_text() + "Total: 1\t\t\n\tC1\t1\n")
    assert annotate_wells(WELLS, folder, PLATEMAP)[0]["compound_id"].tolist() == [None, "C1", "C2"]
    assert (
        "m2.tsv: 2 of 3 rows are left out because they have no well, e.g. line 3: well_position 'Total" in caplog.text
    )


def test_two_sources_may_share_compounds_but_not_an_id():
    def table(smiles):
        return pd.DataFrame({"compound_id": ["a", "b"], "smiles": [smiles, None], "name": ["x", None], "moa": None})

    both = merge_compounds([("one", table(None)), ("two", table("C")), ("three", table("C"))])
    assert both["compound_id"].tolist() == ["a", "b"]
    assert both["smiles"][0] == "C"
    with pytest.raises(ValueError, match="compound a has two structures: C in one and CC in two"):
        merge_compounds([("one", table("C")), ("two", table("CC"))])


def write_ids(folder, barcodes=("24,277",)):
    """Tables as those of cpg0012 and cpg0004: other names of ids, numbers of samples, barcodes with a separator."""
    (folder / "map1.tsv").write_text(
        "well_position\tbroad_sample\nA01\t\nB01\tBRD-K00000001-001-01-1\nC01\tBRD-A00000002-001-02-1\nD01\tother\n"
    )
    (folder / "barcodes.csv").write_text("Assay_Plate_Barcode,Plate_Map_Name\n" + f'"{barcodes[0]}",map1\n')
    (folder / "compounds.csv").write_text(
        "BROAD_ID,broad_sample,smiles\nBRD-K00000001-001-09-9,wrong,CCO\nBRD-K00000001-003-02-2,wrong,OCC\n"
        "BRD-A00000002-001-05-5,wrong,\nBRD-A00000002-004-01-1,wrong,CCN\nBRD-A00000002-005-01-1,wrong,CCCN\nother,wrong,CCC\n"
    )
    return Platemap(
        "{platemap}.tsv",
        "barcodes.csv",
        "compounds.csv",
        id_column="BROAD_ID",
        id_pattern="BRD-.[0-9]{8}",
        name_column=None,
    )


def test_ids_without_the_number_of_the_sample(tmp_path, caplog):
    caplog.set_level("INFO")
    wells = pd.DataFrame({"plate": "24277", "well": ["A01", "B01", "C01", "D01"]})
    annotation, compounds = annotate_wells(
        wells, tmp_path, write_ids(tmp_path), identify=lambda smiles: "".join(sorted(smiles))
    )
    assert annotation["reason"].isna().all()
    assert annotation["control"].tolist() == [True, False, False, False]
    assert annotation["compound_id"].tolist()[1:] == ["BRD-K00000001", "BRD-A00000002", "other"]
    assert compounds.set_index("compound_id")["smiles"].to_dict() == {
        "BRD-K00000001": "CCO", "BRD-A00000002": "CCN", "other": "CCC",
    }  # fmt: skip
    assert "2 compounds have several spellings of their structure" in caplog.text


def test_a_pattern_of_ids_must_be_a_regular_expression():
    with pytest.raises(ValueError, match=r"id_pattern '\(' is not a regular expression"):
        Platemap("a.csv", id_pattern="(")

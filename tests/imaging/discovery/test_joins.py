"""Which tables are found, and what they give."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from cloome_kedro.imaging.discovery.joined import evaluate
from cloome_kedro.imaging.discovery.joins import propose_joins
from cloome_kedro.imaging.discovery.tables import find_matrix, find_tables, look_at
from small_screens import write_load_data_screen

WELLS = pd.DataFrame({"plate": ["P1", "P1", "P1"], "well": ["A01", "B02", "C03"]})
MAP = "well_position,broad_sample,smiles\nA01,DMSO,\nB02,C1,CCO\nC03,C2,CCN\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def only(joins):
    assert len(joins) == 1
    return joins[0]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        (MAP, "platemap"),
        ("Metadata_Plate,Metadata_Well,Metadata_JCP2022\nP1,A01,X\n", "plates"),
        ("Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\n", "barcodes"),
        ("Metadata_JCP2022,Metadata_InChIKey,Metadata_InChI\nX,K,InChI=1S\n", "compounds"),
        ("broad_id,smiles,pert_iname\nX,CCO,ethanol\n", "compounds"),
        ("inchikey,assay_a,assay_b\nK,1,\nL,0,1\n", "labels"),
        ("smiles,assay,value\nCCO,a,3.5\n", "label list"),
        ("FileName_OrigDNA,Metadata_Well\na.tif,A01\n", "images"),
        ("Well,smiles," + ",".join(f"Cells_{i}" for i in range(50)) + "\nA01,C," + "0.5," * 49 + "1\n", "profiles"),
        ("assay_id,auc\n1,0.5\n", ""),
    ],
)  # fmt: skip
def test_roles_of_tables(tmp_path, text, role):
    assert look_at(write(tmp_path, table=text) / "table.csv").role == role


def test_a_folder_is_searched_and_files_that_are_no_tables_are_left_out(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", map=MAP)
    (tmp_path / "notes.txt").write_bytes(b"\0\1\2" * 9)
    (tmp_path / "picture.png").write_text("no table")
    (tmp_path / "plate.xlsx").write_bytes(b"PK")
    problems = []
    assert [table.path.name for table in find_tables([tmp_path], problems.append)] == ["map.csv"]
    notes, plate = problems
    assert "notes.txt cannot be read as a table: it is not text" in notes
    assert "plate.xlsx is not a table" in plate
    assert "Save a sheet of Excel as CSV" in plate
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_tables([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="notes"):  # it is named, so it is not left out in silence
        find_tables([tmp_path / "notes.txt"])


def test_platemaps_by_barcodes_with_compounds(tmp_path):
    source = write_load_data_screen(tmp_path)
    wells = pd.DataFrame(
        [(plate, well) for plate in ("P1", "P2") for well in ("A01", "B01")], columns=["plate", "well"]
    )
    join = only(propose_joins(wells, find_tables([tmp_path]), tmp_path))
    for key in ("platemaps", "barcodes", "compounds"):
        assert join.settings[key] == str(tmp_path / source["platemap"][key])
    assert join.settings["concentration_column"] == "mmoles_per_liter"
    assert join.settings["moa_column"] == "moa"
    assert (join.wells, join.treated, join.controls, join.unused) == (4, 2, 2, 0)
    assert join.with_structure == ["CCO"]
    assert not join.question


def test_platemaps_by_barcodes_with_names_alone(tmp_path):
    write(tmp_path, plates="Assay_Plate_Barcode,Plate_Map_Name\nP1,m1\n")
    write(tmp_path, m1="well_position,pert_iname,smiles\nA01,DMSO,\nB02,ethanol,CCO\nC03,ethylamine,CCN\n")
    join = only(propose_joins(WELLS, find_tables([tmp_path]), tmp_path))
    assert (join.settings["compound_column"], join.settings["platemaps"]) == (
        "pert_iname",
        f"{tmp_path}/{{platemap}}.csv",
    )
    assert sorted(join.with_structure) == ["CCN", "CCO"]


def write_platemaps(folder, plates):
    """One platemap for each plate; in the last one, no table of compounds has the compound of C03."""
    names = "".join(f"P{i},m{i}\n" for i in range(plates))
    write(folder, plates=f"Assay_Plate_Barcode,Plate_Map_Name\n{names}")
    for i in range(plates):
        last = "C2" if i < plates - 1 else "D9"
        write(folder, **{f"m{i}": f"well_position,broad_sample\nA01,DMSO\nB02,C1\nC03,{last}\n"})
    write(folder, compounds="broad_sample,smiles\nC1,CCO\nC2,CCN\n")
    rows = [(f"P{i}", well) for i in range(plates) for well in ("A01", "B02", "C03")]
    return pd.DataFrame(rows, columns=["plate", "well"])


def test_a_platemap_of_one_plate_is_not_that_of_all(tmp_path):
    """Taken for that of all plates, the first one would give a compound to all wells."""
    wells = write_platemaps(tmp_path, 2)
    join = only(propose_joins(wells, find_tables([tmp_path]), tmp_path))
    assert Path(join.settings["platemaps"]).name == "{platemap}.csv"
    assert (join.treated, join.controls, join.unused) == (3, 2, 1)


def test_tables_are_read_as_often_for_many_platemaps_as_for_few(tmp_path, monkeypatch):
    reads, open_file = Counter(), Path.open
    count = lambda path, *how, **options: reads.update([path.name]) or open_file(path, *how, **options)  # noqa: E731
    monkeypatch.setattr(Path, "open", count)
    counts = []
    for plates in (2, 9):
        folder = tmp_path / str(plates)
        folder.mkdir()
        wells, tables = write_platemaps(folder, plates), find_tables([folder])
        reads.clear()
        propose_joins(wells, tables, folder)
        assert {reads[f"m{i}.csv"] for i in range(plates)} == {1}
        counts.append((reads["compounds.csv"], reads["plates.csv"]))
    assert counts[0] == counts[1]


def test_one_table_for_all_plates_with_ids_of_another_name(tmp_path):
    """Tables as JUMP's: well.csv.gz and compound.csv.gz, where DMSO is known by its InChIKey alone."""
    rows = [("P1", "A01", "J1"), ("P1", "B02", "J2"), ("P1", "C03", "J3"), ("P2", "A01", "J3")]
    wells = pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "Metadata_JCP2022"])
    wells.to_csv(tmp_path / "well.csv.gz", index=False)
    keys = ["IAZDPXIOMUYVGZ-UHFFFAOYSA-N", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "QUSNBJAOOMFDIB-UHFFFAOYSA-N"]
    table = {"jcp": ["J1", "J2", "J3"], "Metadata_InChIKey": keys, "Metadata_SMILES": ["CS(C)=O", "CCO", "CCN"]}
    pd.DataFrame(table).rename(columns={"jcp": "Compound ID"}).to_csv(tmp_path / "compound.csv.gz", index=False)
    join = only(propose_joins(WELLS, find_tables([tmp_path]), tmp_path))
    assert join.settings["plate_column"] == "Metadata_Plate"
    assert join.settings["id_column"] == "Compound ID"
    assert join.settings["smiles_column"] == "Metadata_SMILES"
    assert join.settings["name_column"] is None
    assert join.settings["controls"] == ["DMSO", "", "J1"]
    assert (join.treated, join.controls) == (2, 1)
    assert join.structures == {"J2": "CCO", "J3": "CCN"}


def test_the_platemap_that_fits_best_is_proposed(tmp_path):
    near, far = tmp_path / "screen", tmp_path / "elsewhere"
    near.mkdir(), far.mkdir()
    write(near, mine=MAP)
    write(far, other=MAP.replace("C1", "D1") + "".join(f"D{i:02d},E{i},C\n" for i in range(1, 9)), half=MAP[:43])
    assert only(propose_joins(WELLS, find_tables([near, far]), near)).tables == (near / "mine.csv",)


def test_tables_that_fit_equally_well_are_all_proposed(tmp_path):
    write(tmp_path, one=MAP, two=MAP.replace("C1", "D1"))
    assert len(propose_joins(WELLS, find_tables([tmp_path]), tmp_path)) == 2


def test_folders_with_names_of_compounds_choose_between_platemaps(tmp_path):
    write(tmp_path, one=MAP, two=MAP.replace("C1", "AMG 900"))
    wells = WELLS.assign(plate=["DMSO", "AMG900", "C2"])
    assert only(propose_joins(wells, find_tables([tmp_path]), tmp_path)).tables == (tmp_path / "two.csv",)


def test_no_table_has_the_wells(tmp_path):
    write(tmp_path, other=MAP.replace("A01", "H01").replace("B02", "H02"))
    assert propose_joins(WELLS, find_tables([tmp_path]), tmp_path) == []


def test_structures_that_no_table_has(tmp_path):
    write(tmp_path, map="well,compound\nA01,DMSO\nB02,C1\nC03,C2\n")
    join = only(propose_joins(WELLS, find_tables([tmp_path]), tmp_path))
    assert join.settings["smiles_column"] is None
    assert join.with_structure == []
    assert (join.treated, join.controls) == (2, 1)


@pytest.mark.parametrize(
    ("column", "unit", "question"), [("Dose (uM)", "uM", ""), ("dose", None, "unit"), ("mmoles_per_liter", "mM", "")]
)
def test_units_of_concentrations(tmp_path, column, unit, question):
    write(tmp_path, map=f"well,compound,smiles,{column}\nA01,DMSO,,\nB02,C1,CCO,5\nC03,C2,CCN,5\n")
    join = only(propose_joins(WELLS, find_tables([tmp_path]), tmp_path))
    assert join.settings["concentration_column"] == column
    assert join.settings.get("concentration_unit") == (None if column == "mmoles_per_liter" else unit)
    assert join.question == question


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("control_type", "negcon"),
        ("pert_type", "control"),
        ("pert_iname", "dimethyl sulfoxide"),
        ("InChIKey", "IAZDPXIOMUYVGZ-X"),
    ],
)
def test_controls_that_a_table_marks(tmp_path, header, cell):
    text = f"well,broad_sample,smiles,{header}\nA01,S0,CO,{cell}\nB02,C1,CCO,trt\nC03,C2,CCN,trt\n"
    join = only(propose_joins(WELLS, find_tables([write(tmp_path, map=text)]), tmp_path))
    assert join.settings["controls"] == (["DMSO", "", "S0"] if cell != "control" else ["DMSO", ""])


def test_reasons_and_controls_that_the_user_names(tmp_path):
    write(tmp_path, map=MAP)
    wells = pd.concat([WELLS, pd.DataFrame({"plate": ["P1"], "well": ["H12"]})], ignore_index=True)
    join = only(propose_joins(wells, find_tables([tmp_path]), tmp_path))
    assert join.unused == 1
    assert list(join.reasons) == [f"well without compound: it is not in {tmp_path / 'map.csv'}"]
    again = evaluate(wells, join.settings, ["C1"])
    assert (again.treated, again.controls, again.settings["controls"]) == (2, 1, ["C1"])


def test_a_matrix_of_labels_with_its_two_tables(tmp_path):
    (tmp_path / "labels.mtx").write_text("%%MatrixMarket\n")
    write(tmp_path, rows="INDEX,INCHIKEY\n0,K\n", columns="ASSAY_ID\n7\n")
    found = find_matrix(find_tables([tmp_path]))
    assert {key: path.name for key, path in found.items()} == {
        "filepath": "labels.mtx", "rows": "rows.csv", "columns": "columns.csv",
    }  # fmt: skip
    (tmp_path / "labels.mtx").unlink()
    assert find_matrix(find_tables([tmp_path])) is None

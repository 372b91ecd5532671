import logging
from pathlib import Path

import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.index import check_rejected, index_screen
from small_screens import OPERA_CHANNELS, edit_csv, make_source, write_load_data_screen, write_opera_screen


@pytest.fixture
def screen(tmp_path):
    """A folder and its one source: plates P1 and P2, wells A01 (DMSO) to D01, sites 1 and 2."""
    return tmp_path, write_load_data_screen(tmp_path)


def index_sources(folder, *descriptions):
    return index_screen(folder, "mine", [make_source(description) for description in descriptions])


def image(folder, channel, plate="P1", well="B01", site=1):
    return folder / f"images/{plate}/{well}_s{site}_{channel}.tiff"


def test_index_of_a_load_data_screen(screen):
    folder, source = screen
    index, compounds, rejected = index_sources(folder, source)
    schemas.field_index.validate(index)
    schemas.compound_table.validate(compounds)
    schemas.rejected_fields.validate(rejected)
    assert len(index) == 2 * 4 * 2
    assert rejected.empty
    row = index.set_index("field_id").loc["mine/P2/C01/2"]
    assert (row["plate"], row["well"], row["site"], row["source"]) == ("P2", "C01", 2, "virtual")
    assert row["compound_id"] == "C2"
    assert row["concentration_um"] == pytest.approx(5)
    for channel in CHANNELS:
        assert row[f"path_{channel}"] == str(image(folder, channel, "P2", "C01", 2))
        assert index[f"plane_{channel}"].isna().all(), "a file is one image"
    controls = index[index["control"]]
    assert set(controls["well"]) == {"A01"}
    assert controls["compound_id"].isna().all()
    assert compounds["compound_id"].tolist() == ["C1", "C2", "C3"]


@pytest.mark.parametrize("suffix", [".tiff", ".tif", ".png"])
def test_index_of_an_opera_screen(tmp_path, suffix):
    source = write_opera_screen(tmp_path, suffix=suffix)
    index, compounds, _ = index_sources(tmp_path, source)
    schemas.field_index.validate(index)
    assert index["field_id"].tolist() == [f"mine/Q1/{well}/{site}" for well in ("A01", "D08") for site in (1, 2)]
    for number, channel in OPERA_CHANNELS.items():
        assert index[f"path_{channel}"].str.contains(f"-ch{number}sk").all()
    # a control keeps the id that the screen's table knows, and is not a compound of the study
    assert index["compound_id"].tolist() == ["X1", "X1", "X0", "X0"]
    assert index["control"].tolist() == [True, True, False, False]
    assert compounds["compound_id"].tolist() == ["X0"]


def test_two_sources_make_one_index(screen):
    folder, source = screen
    index, compounds, _ = index_sources(folder, source, write_opera_screen(folder))
    assert index.groupby("source")["plate"].unique().map(list).to_dict() == {"opera": ["Q1"], "virtual": ["P1", "P2"]}
    assert compounds["compound_id"].tolist() == ["C1", "C2", "C3", "X0"]


def test_a_missing_image_is_named_by_channel(screen):
    folder, source = screen
    image(folder, "ER").unlink()
    index, _, rejected = index_sources(folder, source)
    assert rejected["field_id"].tolist() == ["mine/P1/B01/1"]
    assert rejected["stage"].tolist() == ["index"]
    assert rejected["reason"][0] == f"missing channel ER: {image(folder, 'ER')} does not exist"
    assert "mine/P1/B01/1" not in set(index["field_id"])
    schemas.rejected_fields.validate(rejected)


def test_a_channel_that_no_file_is_named_for(tmp_path):
    source = write_opera_screen(tmp_path)
    (tmp_path / "opera/Q1/r04c08f01p01-ch3sk1fk1fl1.tiff").unlink()
    _, _, rejected = index_sources(tmp_path, source)
    assert rejected["reason"].tolist() == ["missing channel RNA: no file is listed"]


def test_a_doubled_channel_is_named(tmp_path):
    source = write_opera_screen(tmp_path)
    again = tmp_path / "opera/again/r04c08f01p01-ch3sk1fk1fl1.tiff"
    again.parent.mkdir()
    again.touch()
    source = {**source, "plate": "Q1"}
    index, _, rejected = index_sources(tmp_path, source)
    assert rejected["field_id"].tolist() == ["mine/Q1/D08/1"]
    assert rejected["reason"][0].startswith("channel RNA has several images: ")
    assert str(again) in rejected["reason"][0]
    assert len(index) == 3


def test_an_image_of_two_fields_is_trusted_for_neither(screen):
    """Plates whose files have the same names, and a table that gives both the folder of one."""
    folder, source = screen

    def point_to_the_other_plate(rows):
        rows.loc[[0, 3], "PathName_OrigDNA"] = "images/P2"
        return rows

    edit_csv(folder / "load_data_csv/P1/load_data.csv", point_to_the_other_plate)
    index, _, rejected = index_sources(folder, source)
    assert rejected["field_id"].tolist() == [
        f"mine/{plate}/{field}" for plate in ("P1", "P2") for field in ("A01/1", "B01/2")
    ]
    assert rejected["reason"][0] == (
        f"channel DNA: {image(folder, 'DNA', 'P2', 'A01')} is also listed for another field or channel"
    )
    assert len(index) == 12


def test_one_image_for_two_channels_is_named(screen):
    folder, source = screen

    def use_er_for_rna(rows):
        rows["FileName_OrigRNA"] = [rows["FileName_OrigER"][0], *rows["FileName_OrigRNA"][1:]]
        return rows

    edit_csv(folder / "load_data_csv/P1/load_data.csv", use_er_for_rna)
    _, _, rejected = index_sources(folder, source)
    assert rejected["field_id"].tolist() == ["mine/P1/A01/1"]
    assert "channel ER: " in rejected["reason"][0]
    assert "channel RNA: " in rejected["reason"][0]


@pytest.mark.parametrize(("planes", "doubtful"), [((0, 1, 2, 3, 4), []), ((0, 1, 1, 3, 4), ["ER", "RNA"])])
def test_channels_may_share_a_file_but_not_a_page(tmp_path, monkeypatch, planes, doubtful):
    def read(folder, source):
        field = {"plate": "P", "well": "A01", "site": 1, "path": str(tmp_path / "a.tiff")}
        other = {**field, "site": 2, "path": str(tmp_path / "b.tiff")}
        pages = list(zip(CHANNELS, planes, strict=True))
        listed = [{**field, "channel": channel, "plane": plane} for channel, plane in pages]
        listed += [{**other, "channel": channel, "plane": i} for i, channel in enumerate(CHANNELS)]
        return pd.DataFrame(listed).assign(reason=None, z=pd.NA, time=pd.NA).astype({"z": "Int64", "time": "Int64"})

    monkeypatch.setattr("cloome_kedro.imaging.index.read_layout", lambda name, folder, source: read(folder, source))
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,C1,CCO,a\n")
    for name in ("a.tiff", "b.tiff"):
        (tmp_path / name).touch()
    index, _, rejected = index_sources(
        tmp_path, {"name": "mine", "layout": "own", "platemap": {"platemaps": "map.csv"}}
    )
    schemas.field_index.validate(index)
    assert index["site"].tolist() == ([2] if doubtful else [1, 2])
    assert [*index.set_index("site").loc[2, [f"plane_{channel}" for channel in CHANNELS]]] == [0, 1, 2, 3, 4]
    assert len(rejected) == bool(doubtful)
    for channel in doubtful:
        assert f"channel {channel}: {tmp_path / 'a.tiff'} is also listed for another field" in rejected["reason"][0]


def test_a_field_listed_twice_with_the_same_files_is_one(screen):
    folder, source = screen
    edit_csv(folder / "load_data_csv/P1/load_data.csv", lambda rows: pd.concat([rows, rows]))
    index, _, rejected = index_sources(folder, source)
    assert len(index) == 16
    assert rejected.empty


def test_channels_are_found_by_name_and_not_by_position(tmp_path):
    source = write_opera_screen(tmp_path)
    turned = {"5": "Hoechst", "4": "ERSyto", "3": "ERSytoBleed", "2": "Ph_golgi", "1": "Mito"}
    index, _, _ = index_sources(tmp_path, {**source, "channels": turned})
    assert index["path_DNA"].str.contains("-ch5sk").all()


def test_a_channel_beyond_the_five_is_passed_over(screen):
    folder, source = screen
    for plate in ("P1", "P2"):
        edit_csv(
            folder / f"load_data_csv/{plate}/load_data.csv",
            lambda rows: rows.assign(FileName_OrigBrightfield="x.tiff", PathName_OrigBrightfield="nowhere"),
        )
    index, _, rejected = index_sources(folder, source)
    assert len(index) == 16
    assert rejected.empty


def test_wells_without_compound_are_rejected(screen):
    folder, source = screen
    edit_csv(folder / "platemaps/map1.tsv", lambda rows: rows[rows["well_position"] != "C01"])
    edit_csv(folder / "compounds.csv", lambda rows: rows[rows["broad_sample"] != "C3"])
    index, compounds, rejected = index_sources(folder, source)
    reasons = rejected.groupby("well")["reason"].unique().map(list)
    assert reasons["C01"] == [f"well without compound: it is not in {folder / 'platemaps/map1.tsv'}"]
    assert reasons["D01"] == ["compound C3 of this well is not in compounds.csv"]
    assert len(rejected) == 8
    assert set(index["well"]) == {"A01", "B01"}
    assert compounds["compound_id"].tolist() == ["C1"]


def test_an_opera_source_without_channel_map_names_the_key(tmp_path):
    source = write_opera_screen(tmp_path)
    with pytest.raises(
        ValueError,
        match=r"source opera has no channel Mito, ER, RNA, AGP, DNA: the channels in its files are 1, 2, 3, 4, 5\. "
        "Map them by",
    ):
        index_sources(tmp_path, {**source, "channels": {}})


def test_a_channel_absent_everywhere_stops_at_once(screen):
    folder, source = screen
    for plate in ("P1", "P2"):
        edit_csv(
            folder / f"load_data_csv/{plate}/load_data.csv",
            lambda rows: rows.rename(columns=lambda name: name.replace("OrigAGP", "OrigActin")),
        )
    with pytest.raises(ValueError, match=r'no channel AGP: .* e.g. channels: {"OrigActin": AGP}'):
        index_sources(folder, source)
    index, _, _ = index_sources(folder, {**source, "channels": {"OrigActin": "AGP"}})
    assert len(index) == 16


def test_a_channel_that_no_table_has_stops_at_once(screen):
    folder, source = screen
    for plate in ("P1", "P2"):
        path = folder / f"load_data_csv/{plate}/load_data.csv"
        edit_csv(path, lambda rows: rows.drop(columns=["FileName_OrigAGP", "PathName_OrigAGP"]))
    with pytest.raises(
        ValueError, match=r"virtual has no channel AGP: .* OrigRNA, OrigDNA. All five channels are needed$"
    ):
        index_sources(folder, source)


def test_a_missing_folder_stops_at_once(screen):
    folder, source = screen
    with pytest.raises(FileNotFoundError, match=r"source virtual: there is no folder .*plates_2; correct `folder`"):
        index_sources(folder, {**source, "folder": "plates_2"})


def test_images_that_are_all_elsewhere_stop_at_once(screen):
    folder, source = screen
    (folder / "images").rename(folder / "pictures")
    with pytest.raises(
        FileNotFoundError, match=r"source virtual: none of its 80 images exists. The first one should be"
    ):
        index_sources(folder, source)


@pytest.mark.parametrize(
    ("listed", "stored"), [("TIFF", "tiff"), ("tiff", "TIFF"), ("Tiff", "tIFF"), ("B01_S1", "B01_s1")]
)
def test_upper_and_lower_case_of_names_do_not_matter(screen, listed, stored):
    folder, source = screen
    path = image(folder, "DNA")
    path.rename(path.with_name(path.name.replace(stored.lower() if "tiff" in stored.lower() else stored, stored)))
    original = "B01_s1" if listed.startswith("B01") else "tiff"
    edit_csv(
        folder / "load_data_csv/P1/load_data.csv",
        lambda rows: rows.assign(FileName_OrigDNA=rows["FileName_OrigDNA"].str.replace(original, listed)),
    )
    index, _, rejected = index_sources(folder, source)
    assert rejected.empty
    assert Path(index.set_index("field_id").loc["mine/P1/B01/1", "path_DNA"]).is_file()
    assert len(index) == 16


def test_two_files_that_differ_by_case_are_not_mixed_up(screen):
    folder, source = screen
    path = image(folder, "DNA")
    for name in ("b01_S1_DNA.tiff", "b01_s1_dna.tiff"):
        path.with_name(name).write_bytes(path.read_bytes())
    path.unlink()
    _, _, rejected = index_sources(folder, source)
    assert rejected["reason"].tolist() == [f"missing channel DNA: {path} does not exist"]


def test_bad_rows_of_a_table_are_rejected_fields(screen):
    folder, source = screen
    table = folder / "load_data_csv/P1/load_data.csv"

    def edit(rows):
        rows.loc[1, "Metadata_Site"], rows.loc[3, "Metadata_Well"] = "two", "B"
        return rows

    edit_csv(table, edit)
    index, _, rejected = index_sources(folder, source)
    rejected = schemas.rejected_fields.validate(rejected)
    assert rejected["field_id"].tolist() == ["mine/P1/A01/two", "mine/P1/B/2"]
    assert rejected["site"].fillna(-1).tolist() == [-1, 2]
    assert rejected["reason"].tolist() == [
        f"{table}, line 3: Metadata_Site 'two' is not a whole number; write 0, 1, 2, ...",
        f"{table}, line 5: Metadata_Well 'B' is not a well; write it like D08",
    ]
    assert len(schemas.field_index.validate(index)) == 14


def test_a_source_without_a_usable_row_stops_at_once(screen):
    folder, source = screen
    for plate in ("P1", "P2"):
        edit_csv(folder / f"load_data_csv/{plate}/load_data.csv", lambda rows: rows.assign(Metadata_Well="?"))
    with pytest.raises(
        ValueError, match=r"source virtual: none of its images can be used: .*P1/load_data.csv, line 2: Met"
    ):
        index_sources(folder, source)


def test_a_source_whose_tables_list_no_image_stops_at_once(screen):
    folder, source = screen
    for plate in ("P1", "P2"):
        edit_csv(
            folder / f"load_data_csv/{plate}/load_data.csv",
            lambda rows: rows.assign(**{f"FileName_Orig{channel}": "" for channel in CHANNELS}),
        )
    with pytest.raises(ValueError, match="source virtual: none of its images can be used: its tables list no image"):
        index_sources(folder, source)


def test_a_table_without_rows_stops_at_once(screen):
    """Otherwise the half of a screen would be missing without a word."""
    folder, source = screen
    edit_csv(folder / "load_data_csv/P2/load_data.csv", lambda rows: rows[:0])
    with pytest.raises(
        ValueError, match=r"P2/load_data.csv has a header but no rows; write the table again, or delete"
    ):
        index_sources(folder, source)


def test_several_problems_of_a_field_are_all_named(screen):
    folder, source = screen
    for channel in ("ER", "DNA"):
        image(folder, channel).unlink()
    _, _, rejected = index_sources(folder, source)
    assert rejected["reason"].tolist() == [
        f"missing channel ER: {image(folder, 'ER')} does not exist; missing channel DNA: {image(folder, 'DNA')} does "
        "not exist"
    ]


def test_numbers_of_fields_are_logged(screen, caplog):
    caplog.set_level(logging.INFO)
    folder, source = screen
    image(folder, "ER").unlink()
    index_sources(folder, source)
    assert "index: 15 fields of 2 plates, 4 of them in control wells; 1 fields are rejected" in caplog.text


def test_words_for_a_missing_value_are_passed_on(screen):
    folder, source = screen
    edit_csv(folder / "compounds.csv", lambda rows: rows.assign(moa=["unknown", "todo", "x"]))
    _, compounds, _ = index_sources(folder, source)
    assert compounds["moa"].fillna("missing").tolist() == ["missing", "todo", "x"]
    _, compounds, _ = index_screen(folder, "mine", [make_source(source)], missing=["TODO"])
    assert compounds["moa"].fillna("missing").tolist() == ["unknown", "missing", "x"]


def test_a_plate_belongs_to_one_source(screen):
    folder, source = screen
    with pytest.raises(ValueError, match="plate P1 is in the sources opera and virtual"):
        index_sources(folder, write_opera_screen(folder, plates=("P1",), wells=((1, 1),)), source)


def test_sources_must_agree_about_a_compound(screen):
    folder, source = screen
    opera = write_opera_screen(folder)
    edit_csv(folder / "opera_platemap.csv", lambda rows: rows.replace("X0", "C1"))
    with pytest.raises(
        ValueError, match="compound C1 has two structures: CCO in source virtual and CCBr in source opera"
    ):
        index_sources(folder, source, opera)


def test_check_rejected():
    rejected = pd.DataFrame(
        {"field_id": [f"s/p/A01/{i}" for i in range(7)], "reason": [f"reason {i}" for i in range(7)]}
    )
    check_rejected(rejected, 140, 0.05)
    with pytest.raises(
        ValueError, match=r"7 of 139 fields were rejected; max_rejected_fraction .* allows a share of 0.05"
    ) as error:
        check_rejected(rejected, 139, 0.05)
    assert "s/p/A01/0: reason 0" in str(error.value)
    assert "reason 5" not in str(error.value)
    with pytest.raises(ValueError, match="7 of 7"):
        check_rejected(rejected, 7, 1.0)
    check_rejected(rejected[:0], 7, 0)

import os
from pathlib import Path

import pandas as pd
import pytest

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.sources import Platemap, Source
from small_screens import edit_csv, write_load_data_screen


@pytest.fixture
def screen(tmp_path):
    write_load_data_screen(tmp_path, plates=2, wells=2, sites=1)
    return tmp_path


@pytest.fixture
def table(screen):
    return screen / "load_data_csv/P1/load_data.csv"


def read(folder, **settings):
    return read_layout("load_data_csv", folder, Source("mine", "load_data_csv", Platemap("map.csv"), **settings))


def test_one_row_per_image_file(screen):
    images = read(screen)
    assert list(images.columns) == ["plate", "well", "site", "channel", "path", "plane", "z", "time", "reason"]
    assert images["plane"].isna().all(), "a file is one image"
    assert images["reason"].isna().all()
    assert len(images) == 2 * 2 * len(CHANNELS)
    assert set(images["channel"]) == {f"Orig{channel}" for channel in CHANNELS}
    assert images["path"].map(lambda path: Path(path).is_file()).all()
    row = images[(images["plate"] == "P2") & (images["well"] == "B01") & (images["channel"] == "OrigER")].iloc[0]
    assert row["path"] == str(screen / "images/P2/B01_s1_ER.tiff")


@pytest.mark.parametrize(
    "elsewhere", ["/home/someone/bucket/images/{}", "C:\\data\\screen\\images\\{}", "images/{}/", "other/images/{}"]
)
def test_paths_of_another_machine(screen, elsewhere):
    for plate in ("P1", "P2"):
        edit_csv(
            screen / f"load_data_csv/{plate}/load_data.csv",
            lambda table, plate=plate: table.assign(
                **{f"PathName_Orig{channel}": elsewhere.format(plate) for channel in CHANNELS}
            ),
        )
    images = read(screen)
    assert images["path"].map(lambda path: Path(path).is_file()).all()
    assert (images["path"].map(lambda path: Path(path).parent.name) == images["plate"]).all()


def test_an_absolute_path_that_exists_is_taken_as_it_is(screen, table, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    edit_csv(table, lambda rows: rows.assign(PathName_OrigER=str(other)))
    images = read(screen)
    er = images[(images["plate"] == "P1") & (images["channel"] == "OrigER")]
    assert er["path"].str.startswith(str(other)).all()


def test_other_columns_and_empty_cells_are_passed_over(screen, table):
    edit_csv(table, lambda rows: rows.assign(FileName_IllumDNA="x.npy", FileName_OrigDNA=["", "b.tiff"]))
    images = read(screen)
    dna = images[(images["plate"] == "P1") & (images["channel"] == "OrigDNA")]
    assert dna["well"].tolist() == ["B01"]
    assert not images["channel"].str.contains("Illum").any()


def test_plate_given_where_the_table_has_none(screen, table):
    edit_csv(table, lambda rows: rows.drop(columns="Metadata_Plate"))
    assert set(read(screen, files="load_data_csv/P1/*.csv", plate="P9")["plate"]) == {"P9"}
    with pytest.raises(ValueError, match=r"no column Metadata_Plate .* `columns: {plate: ...}` of this source, or"):
        read(screen)


def test_a_plate_of_the_configuration_counts_more_than_an_unusual_column(screen, table):
    edit_csv(table, lambda rows: rows.rename(columns={"Metadata_Plate": "Barcode"}))
    assert set(read(screen, files="load_data_csv/P1/*.csv")["plate"]) == {"P1"}
    assert set(read(screen, files="load_data_csv/P1/*.csv", plate="P9")["plate"]) == {"P9"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda rows: rows.drop(columns="Metadata_Well"),
            r"has no column Metadata_Well or with another usual name; its columns are Metadata_Plate, .* Name it by "
            r"`columns: {well: ...}` of this source$",
        ),
        (
            lambda rows: rows.filter(like="Metadata"),
            r"has no column FileName_<Channel> or URL_<Channel>, which give the images; its columns are "
            "Metadata_Plate, Metadata_Well, Metadata_Site. Add them, or correct `files` of this source if it reads",
        ),
        (lambda rows: rows[:0], "has a header but no rows; write the table again, or delete the file"),
    ],
)
def test_what_a_table_lacks_is_named(screen, table, edit, message):
    edit_csv(table, edit)
    with pytest.raises(ValueError, match=message) as error:
        read(screen)
    assert str(table) in str(error.value)


@pytest.mark.parametrize(
    ("edit", "key", "reason"),
    [
        (
            {"Metadata_Site": "one"},
            ("P1", "B01", "one"),
            "Metadata_Site 'one' is not a whole number; write 0, 1, 2, ...",
        ),
        ({"Metadata_Site": "-1"}, ("P1", "B01", "-1"), "Metadata_Site '-1' is not a whole number; write 0, 1, 2, ..."),
        (
            {"Metadata_Site": "1.5"},
            ("P1", "B01", "1.5"),
            "Metadata_Site '1.5' is not a whole number; write 0, 1, 2, ...",
        ),
        ({"Metadata_Site": ""}, ("P1", "B01", ""), "Metadata_Site '' is not a whole number; write 0, 1, 2, ..."),
        ({"Metadata_Plate": " "}, ("", "B01", 1), "Metadata_Plate '' is empty; write the name of the plate"),
        ({"Metadata_Well": "?"}, ("P1", "?", 1), "Metadata_Well '?' is not a well; write it like D08"),
        (
            {"Metadata_Well": "", "Metadata_Site": "x"},
            ("P1", "", "x"),
            "Metadata_Well '' is not a well; write it like D08",
        ),
    ],
)
def test_a_bad_row_is_set_aside(screen, table, edit, key, reason):
    def edit_last(rows):
        for column, cell in edit.items():
            rows.loc[1, column] = cell
        return rows

    edit_csv(table, edit_last)
    images = read(screen)
    bad = images[images["reason"].notna()]
    assert len(images) == 20
    assert len(bad) == 5
    assert set(bad[["plate", "well", "site"]].itertuples(index=False, name=None)) == {key}
    assert set(bad["reason"]) == {f"{table}, line 3: {reason}"}


# ---- tables of others than the Broad


def rename(**names):
    return lambda rows: rows.rename(columns=names)


def without_orig(rows):
    return rows.rename(columns=lambda name: name.replace("_Orig", "_"))


def backslash_in_names(rows):
    for channel in CHANNELS:
        rows[f"FileName_Orig{channel}"] = "images\\" + rows["Metadata_Plate"] + "\\" + rows[f"FileName_Orig{channel}"]
    return rows.drop(columns=[f"PathName_Orig{channel}" for channel in CHANNELS])


def folder_in_names(rows):
    for channel in CHANNELS:
        rows[f"FileName_Orig{channel}"] = rows.pop(f"PathName_Orig{channel}") + "/" + rows[f"FileName_Orig{channel}"]
    return rows


def half_of_the_folder_in_names(rows):
    for channel in CHANNELS:
        rows[f"FileName_Orig{channel}"] = rows["Metadata_Plate"] + "\\" + rows[f"FileName_Orig{channel}"]
        rows[f"PathName_Orig{channel}"] = r"D:\screen\images"
    return rows


def whole_paths_in_names(rows):
    for channel in CHANNELS:
        rows[f"FileName_Orig{channel}"] = (
            r"D:\images" + "\\" + rows["Metadata_Plate"] + "\\" + rows[f"FileName_Orig{channel}"]
        )
    return rows


def urls(start):
    def edit(rows):
        for channel in CHANNELS:
            name = rows.pop(f"FileName_Orig{channel}")
            rows[f"URL_Orig{channel}"] = start + rows.pop(f"PathName_Orig{channel}") + "/" + name
        return rows

    return edit


def row_and_column(row, column):
    def edit(rows):
        wells = rows.pop("Metadata_Well")
        return rows.assign(
            **{row: wells.str[0].map({"A": "1", "B": "2"}) if "Row" in row else wells.str[0], column: wells.str[1:]}
        )

    return edit


@pytest.mark.parametrize(
    ("edit", "settings"),
    {
        "no Orig": (without_orig, {}),
        "Image_FileName": (lambda rows: rows.rename(columns=lambda n: "Image_" + n.replace("Orig", "")), {}),
        "no PathName": (folder_in_names, {}),
        "backslashes in FileName": (backslash_in_names, {}),
        "a folder in FileName": (half_of_the_folder_in_names, {}),
        "whole paths in FileName": (whole_paths_in_names, {}),
        "URL of a server": (urls("https://example.org/some/"), {}),
        "URL of a bucket": (urls("s3://bucket/project/"), {}),
        "URL of a file": (urls("file:///data/screen/"), {}),
        "URL of a file on Windows": (urls("file:///C:/screen/"), {}),
        "path in URL": (urls(""), {}),
        "path and URL": (lambda rows: rows.assign(URL_OrigDNA="https://x.org/y.tiff"), {}),
        "usual names": (rename(Metadata_Plate="Plate", Metadata_Well="WellName", Metadata_Site="Field"), {}),
        "usual names of CellProfiler": (
            rename(Metadata_Plate="Image_Metadata_Plate", Metadata_Site="Metadata_FieldID"),
            {},
        ),
        "named columns": (
            rename(Metadata_Plate="Image_Metadata_Plate_DAPI", Metadata_Well="W", Metadata_Site="S"),
            {"columns": {"plate": "Image_Metadata_Plate_DAPI", "well": "W", "site": "S"}},
        ),
        "row and column": (row_and_column("Metadata_Row", "Metadata_Col"), {}),
        "row of letters": (row_and_column("wellrow", "well_column"), {}),
        "named row and column": (
            row_and_column("Row of well", "C"),
            {"columns": {"row": "Row of well", "column": "C"}},
        ),
        "no sites": (lambda rows: rows.drop(columns="Metadata_Site"), {}),
        "cells with spaces": (lambda rows: rows.map(lambda cell: f" {cell} "), {}),
    }.values(),
)
def test_tables_of_other_programs(screen, edit, settings):
    expected = read(screen)
    for plate in ("P1", "P2"):
        edit_csv(screen / f"load_data_csv/{plate}/load_data.csv", edit)
    images = read(screen, **settings)
    images["channel"] = "Orig" + images["channel"].str.removeprefix("Orig")
    assert images["path"].map(os.path.normpath).tolist() == expected["path"].map(os.path.normpath).tolist()
    images["path"] = expected["path"]
    pd.testing.assert_frame_equal(images, expected)


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet"])
def test_the_usual_tables_in_other_formats(screen, suffix):
    expected = read(screen)
    for plate in ("P1", "P2"):
        path = screen / f"load_data_csv/{plate}/load_data.csv"
        table = pd.read_csv(path)
        path.unlink()
        table.to_parquet(path.with_suffix(suffix)) if suffix == ".parquet" else table.to_csv(
            path.with_suffix(suffix), index=False
        )
    pd.testing.assert_frame_equal(read(screen), expected)


def test_images_beside_their_table(screen, table):
    edit_csv(table, lambda rows: rows.drop(columns=[f"PathName_Orig{channel}" for channel in CHANNELS]))
    (screen / "images/P1").rename(table.parent / "images")
    for path in (table.parent / "images").iterdir():
        path.rename(table.parent / path.name)
    images = read(screen, files="load_data_csv/P1/*.csv")
    assert images["path"].map(lambda path: Path(path).is_file()).all()


def test_fields_without_a_column_of_sites_are_numbered(screen, table, caplog):
    edit_csv(table, lambda rows: pd.concat([rows.assign(Metadata_Well="A1"), rows]).drop(columns="Metadata_Site"))
    images = read(screen, files="load_data_csv/P1/*.csv")
    dna = images[images["channel"] == "OrigDNA"]
    assert list(zip(dna["well"], dna["site"], strict=True)) == [("A01", 1), ("A01", 2), ("A01", 3), ("B01", 1)]
    assert "has no column of sites (`columns: {site: ...}` of the source mine names it)" in caplog.text


def test_other_images_of_a_channel_are_read_if_the_source_names_them(screen, table):
    edit_csv(table, lambda rows: rows.assign(FileName_DNA="corrected.tiff", PathName_DNA="images", FileName_X="x.tiff"))
    assert "DNA" not in set(read(screen)["channel"])
    assert {"DNA", "OrigDNA"} < set(read(screen, channels={"DNA": "DNA"})["channel"])


def test_a_channel_without_orig_is_read_beside_those_with_it(screen):
    for plate in ("P1", "P2"):
        path = screen / f"load_data_csv/{plate}/load_data.csv"
        edit_csv(path, lambda rows: rows.rename(columns=lambda name: name.replace("OrigDNA", "DAPI")))
    assert set(read(screen)["channel"]) == {"OrigMito", "OrigER", "OrigRNA", "OrigAGP", "DAPI"}


def test_a_repeated_column_is_refused(screen, table):
    table.write_text(table.read_text().replace("Metadata_Site", "Metadata_Well", 1))
    with pytest.raises(ValueError, match=r"P1/load_data.csv .* several columns Metadata_Well with different contents"):
        read(screen)


@pytest.mark.parametrize("kind", ["plate", "well", "site", "row", "column"])
def test_a_named_column_that_is_not_there(screen, kind):
    with pytest.raises(ValueError, match=f"has no column nowhere, which `columns` of the source mine names for {kind}"):
        read(screen, columns={kind: "nowhere"})


@pytest.mark.parametrize("row", ["0", "", "?", "100", "-1"])
def test_a_bad_row_of_a_plate_is_set_aside(screen, table, row):
    edit_csv(table, lambda rows: rows.drop(columns="Metadata_Well").assign(Row=["1", row], Col=["1", "2"]))
    images = read(screen, files="load_data_csv/P1/*.csv")
    assert images.loc[images["reason"].isna(), "well"].unique().tolist() == ["A01"]
    reason = images["reason"].dropna().iloc[0]
    assert reason.startswith(f"{table}, line 3: Row and Col '{row}-2' are not a well; count rows and columns from 1")


def test_no_table_at_all(screen):
    with pytest.raises(FileNotFoundError, match=r"no LoadData table tables/\*.csv below .*; correct `files`"):
        read(screen, files="tables/*.csv")


def test_whole_site_numbers_written_as_floats(screen, table):
    edit_csv(table, lambda rows: rows.assign(Metadata_Site="3.0"))
    images = read(screen)
    assert set(images.loc[images["plate"] == "P1", "site"]) == {3}
    assert pd.api.types.is_integer_dtype(images["site"])

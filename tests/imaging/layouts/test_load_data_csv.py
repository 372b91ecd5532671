from pathlib import Path

import pandas as pd
import pytest

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Platemap, Source
from cloome_kedro.imaging.layouts import read_layout
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
    assert list(images.columns) == ["plate", "well", "site", "channel", "path", "plane"]
    assert images["plane"].isna().all(), "a file is one image"
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
    with pytest.raises(ValueError, match=r"load_data.csv has no column Metadata_Plate"):
        read(screen)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows.drop(columns="Metadata_Well"), "has no column Metadata_Well"),
        (lambda rows: rows.drop(columns="PathName_OrigAGP"), "has no column PathName_OrigAGP"),
        (lambda rows: rows.filter(like="Metadata"), r"has no column FileName_Orig<Channel>"),
        (
            lambda rows: rows.assign(Metadata_Site=["1", "one"]),
            r"line 3: Metadata_Site 'one' is not a whole number; write 0, 1",
        ),
        (
            lambda rows: rows.assign(Metadata_Site=["-1", "1"]),
            r"line 2: Metadata_Site '-1' is not a whole number; write 0, 1",
        ),
        (lambda rows: rows.assign(Metadata_Plate=["P1", " "]), r"line 3: Metadata_Plate is empty"),
        (lambda rows: rows.assign(Metadata_Well=["A01", "?"]), r"line 3: Metadata_Well '\?' is not a well"),
    ],
)
def test_what_a_table_lacks_is_named(screen, table, edit, message):
    edit_csv(table, edit)
    with pytest.raises(ValueError, match=message) as error:
        read(screen)
    assert str(table) in str(error.value)


def test_no_table_at_all(screen):
    with pytest.raises(FileNotFoundError, match=r"no LoadData table tables/\*.csv below .*; correct `files`"):
        read(screen, files="tables/*.csv")


def test_whole_site_numbers_written_as_floats(screen, table):
    edit_csv(table, lambda rows: rows.assign(Metadata_Site="3.0"))
    images = read(screen)
    assert set(images.loc[images["plate"] == "P1", "site"]) == {3}
    assert pd.api.types.is_integer_dtype(images["site"])

import logging
import zipfile

import pandas as pd
import pytest

from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.parameters import IngestionParameters

PATTERN = r"(?P<plate>[^/]+)/(?P<well>[A-P]\d+)_(?P<site>\d+)_(?P<channel>\w+)\.tif"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def source(pattern=PATTERN, **settings):
    return Source("mine", "pattern", Platemap("map.csv"), pattern=pattern, **settings)


def read(folder, pattern=PATTERN, **settings):
    return read_layout("pattern", folder, source(pattern, **settings))


def test_groups_give_the_columns(tmp_path):
    touch(tmp_path, "a/P1/B2_07_DNA.tif", "a/P1/notes.txt", "b/P2/C03_1_Mito.tif")
    images = read(tmp_path)
    assert images.drop(columns="path").to_numpy().tolist() == [
        ["P1", "B02", 7, "DNA", pd.NA, pd.NA, pd.NA, None],
        ["P2", "C03", 1, "Mito", pd.NA, pd.NA, pd.NA, None],
    ]
    assert images["path"].tolist() == [str(tmp_path / "a/P1/B2_07_DNA.tif"), str(tmp_path / "b/P2/C03_1_Mito.tif")]
    assert read(tmp_path, files="b/**/*")["plate"].tolist() == ["P2"]


@pytest.mark.parametrize("row", ["2", "02", "B", "b"])
def test_rows_and_columns_give_the_well(tmp_path, row):
    touch(tmp_path, f"r{row}c3-DNA-z4-t5.png")
    pattern = r"r(?P<row>\w+?)c(?P<column>\d+)-(?P<channel>\w+)-z(?P<z>\d+)-t(?P<time>\d+)\.png"
    images = read(tmp_path, pattern, plate="P")
    assert images[["plate", "well", "site", "channel", "z", "time"]].to_numpy().tolist() == [
        ["P", "B03", 1, "DNA", 4, 5]
    ]


def test_plane_is_another_name_of_z_and_groups_may_be_optional(tmp_path):
    touch(tmp_path, "B02-DNA-2.tif", "C02-DNA.tif")
    images = read(tmp_path, r"(?P<well>\w\d+)-(?P<channel>\w+)(-(?P<plane>\d))?\.tif", plate="P")
    assert images["z"].tolist() == [2, pd.NA]
    assert images["reason"].isna().all()


def test_the_whole_name_or_its_last_folders_must_fit(tmp_path):
    touch(tmp_path, "x/P1/B02_1_DNA.tif", "P1/B02_1_DNA.tiff", "P1/copy of B02_1_DNA.tif")
    assert len(read(tmp_path)) == 1


def test_members_of_archives_are_named_in_the_path(tmp_path, caplog):
    with zipfile.ZipFile(tmp_path / "P1.zip", "w") as archive:
        archive.writestr("images/B02_1_DNA.tif", b"")
        archive.writestr("readme", b"")
    (tmp_path / "P2.zip").write_bytes(b"no archive")
    with caplog.at_level(logging.INFO):
        images = read(tmp_path, r"(?P<plate>\w+)\.zip!/images/(?P<well>\w\d+)_(?P<site>\d)_(?P<channel>\w+)\.tif")
    assert images["path"].tolist() == [f"{tmp_path}/P1.zip!/images/B02_1_DNA.tif", str(tmp_path / "P2.zip")]
    assert images["plate"][0] == "P1"
    assert images["reason"][1].startswith(f"{tmp_path}/P2.zip: P2.zip cannot be read as a zip archive: ")
    assert "1 files that do not fit the pattern are left out, such as P1.zip!/readme" in caplog.text


def test_names_that_fit_but_say_no_place_are_set_aside(tmp_path):
    touch(tmp_path, "B02_x_DNA.tif", "B00_1_DNA.tif", "B02_2_DNA.tif", "B02_3_.tif")
    images = read(tmp_path, r"(?P<well>[A-Z]\d+)_(?P<site>\w)_(?P<channel>\w*)\.tif", plate="P")
    reasons = [None if pd.isna(reason) else reason.removeprefix(f"{tmp_path}/") for reason in images["reason"]]
    assert reasons == [
        "B00_1_DNA.tif: the well 'B00' in its name is not a well; it should be like D08",
        None,
        "B02_3_.tif: its name gives no channel",
        "B02_x_DNA.tif: the site 'x' in its name is not a whole number below 10⁹",
    ]
    assert images["site"].tolist() == [1, 2, 3, "x"]


def test_a_number_that_no_integer_holds_is_set_aside(tmp_path):
    touch(tmp_path, f"B02_{'9' * 30}_DNA.tif", "B03_1_DNA.tif")
    images = read(tmp_path, r"(?P<well>[A-Z]\d+)_(?P<site>\d+)_(?P<channel>\w*)\.tif", plate="P")
    assert images["reason"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "source mine: the layout pattern needs `pattern`, a regular expression with named groups, such as "),
        ("(?P<plate>", "source mine: pattern '.*' is not a regular expression: missing"),
        (r"(?P<well>\w+)\.tif", "has no named group plate, channel; write it like .*, or set `plate` of this source"),
        (
            r"(?P<plate>.)(?P<row>.)(?P<channel>.)",
            r"has no named group well \(or row and column\); write it like \(\?P<well>",
        ),
        (
            PATTERN + "(?P<field>.)",
            "has the named group field, which is not known; the groups are plate, well, row, column",
        ),
    ],
)
def test_a_bad_expression_stops_before_the_run(pattern, message):
    with pytest.raises(ValueError, match=message):
        source(pattern)
    described = {"name": "mine", "layout": "pattern", "platemap": {"platemaps": "map.csv"}, "pattern": pattern}
    with pytest.raises(ValueError, match=message):
        IngestionParameters(screen="mine", sources=[described], storage={})


def test_files_that_do_not_fit_are_shown(tmp_path):
    touch(tmp_path, "P1/B02-1-DNA.tif", "P1/B03-1-DNA.tif", "P1/B04-1-DNA.tif", "P1/B05-1-DNA.tif")
    with pytest.raises(
        FileNotFoundError,
        match=r"none of 4 files below .* fits the pattern .*; the first files are P1/B02-1-DNA.tif, P1/B03-1-DNA",
    ):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none of 0 files .*; there are no files"):
        read(tmp_path, files="x/*")

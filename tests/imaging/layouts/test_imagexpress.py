import logging

import pandas as pd
import pytest

from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.layouts.imagexpress import PUBLISHED, parse
from cloome_kedro.imaging.layouts.recognition import recognise_layouts
from cloome_kedro.imaging.sources import Platemap, Source

UUID = "6D5A8E4F-7D5B-4F7E-8A5A-0123456789AB"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def read(folder, **settings):
    return read_layout("imagexpress", folder, Source("mine", "imagexpress", Platemap("map.csv"), **settings))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"24277_B02_s1_w1{UUID}.tif", ("24277", "B02", 1, "w1", None, None, False)),
        (f"24277_B02_s1_w1_thumb{UUID}.tif", ("24277", "B02", 1, "w1", None, None, True)),
        (f"cdp2bioactives_a01_s9_w5{UUID.lower()}.tif", ("cdp2bioactives", "a01", 9, "w5", None, None, False)),
        ("Week1_150607_P24_s2_w12.TIF", ("Week1_150607", "P24", 2, "w12", None, None, False)),
        ("B02_C03_s1_w1.tif", ("B02", "C03", 1, "w1", None, None, False)),
        ("P/B02_s1_w1.tif", ("P", "B02", 1, "w1", None, None, False)),
        (f"P/TimePoint_3/ZStep_11/X_AA1_s1_w1{UUID}.tif", ("X", "AA1", 1, "w1", 11, 3, False)),
        ("P/TimePoint_1/B02_w2.tif", ("P", "B02", 1, "w2", None, 1, False)),
        ("B02_s1_w1.png", ("", "B02", 1, "w1", None, None, False)),
    ],
)
def test_names(name, expected):
    assert parse(name) == expected


@pytest.mark.parametrize(
    "name",
    ["24277.HTD", "24277_B02_s1.tif", "B02_s1_w1.tif.txt", "24277_B02_s1_w1-1234.tif", "w1.tif", "._P_B02_s1_w1.tif"],
)
def test_names_of_other_files(name):
    assert parse(name) is None


def test_thumbnails_and_other_files_are_left_out(tmp_path, caplog):
    touch(tmp_path, f"P/TimePoint_1/P_B02_s1_w1{UUID}.tif", f"P/TimePoint_1/P_B02_s1_w1_thumb{UUID}.tif", "P/P.HTD")
    touch(tmp_path, f"P/TimePoint_1/._P_B02_s1_w1{UUID}.tif")
    with caplog.at_level(logging.INFO):
        images = read(tmp_path)
    assert images[["plate", "well", "site", "channel", "time"]].to_numpy().tolist() == [["P", "B02", 1, "w1", 1]]
    assert images["z"].tolist() == [pd.NA]
    assert "source mine: 1 thumbnails are left out" in caplog.text


def test_the_plate_is_in_the_source_the_name_or_the_folder(tmp_path):
    touch(tmp_path, "Q/P_B02_s1_w1.tif", "Q/C03_s1_w1.tif", "D04_s1_w1.tif")
    images = read(tmp_path).set_index("well")
    assert images["plate"].to_dict() == {"B02": "P", "C03": "Q", "D04": tmp_path.name}
    assert set(read(tmp_path, plate="mine")["plate"]) == {"mine"}
    assert read(tmp_path, files="Q/P_*")["well"].tolist() == ["B02"]


def test_a_well_that_cannot_be_is_set_aside(tmp_path):
    touch(tmp_path, "P_B00_s1_w1.tif", "P_B02_s1_w1.tif")
    images = read(tmp_path)
    assert images["well"].tolist() == ["B00", "B02"]
    assert (
        images["reason"][0]
        == f"{tmp_path}/P_B00_s1_w1.tif: the well 'B00' in its name is not a well; it should be like D08"
    )
    assert images["reason"].isna().tolist() == [False, True]


def test_no_image(tmp_path):
    touch(tmp_path, "P/P_B02_s1_w1_thumb.tif")
    with pytest.raises(FileNotFoundError, match=r"no image named like PLATE_B02_s1_w1.tif below .*; correct `folder`"):
        read(tmp_path)


def test_recognition_proposes_the_channels_of_the_publication():
    names = [f"P/ZStep_{z}/P_B02_s1_w{w}.tif" for z in (1, 2) for w in range(1, 6)]
    (recognised,) = recognise_layouts([*names, "P/P_B02_s1_w1_thumb.tif"])
    assert recognised.settings == {"channels": PUBLISHED, "z": "max"}
    assert recognised.files == 11
    assert recognised.notes == (
        "2 planes of z stacks (1, 2): the maximum over them is proposed",
        "left out: 1 thumbnail",
    )
    (four,) = recognise_layouts([name for name in names if "w5" not in name])
    assert "channels" not in four.settings

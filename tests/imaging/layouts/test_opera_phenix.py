import pandas as pd
import pytest

from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.sources import Platemap, Source


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def read(folder, **settings):
    return read_layout("opera_phenix", folder, Source("mine", "opera_phenix", Platemap("map.csv"), **settings))


def test_names_tell_well_site_and_channel(tmp_path):
    touch(
        tmp_path,
        "BR1/r04c08f05p01-ch1sk1fk1fl1.tiff",
        "BR1/r16c24f09p01-ch2sk1fk1fl1.TIF",
        "BR2/r27c01f10p01-ch5sk1fk1fl1.png",
        "BR2/Index.idx.xml",
        "BR2/r27c01f10p01-ch5sk1fk1fl1.png.txt",
    )
    images = read(tmp_path).sort_values("path")
    assert images[["plate", "well", "site", "channel"]].to_numpy().tolist() == [
        ["BR1", "D08", 5, "1"],
        ["BR1", "P24", 9, "2"],
        ["BR2", "AA01", 10, "5"],
    ]
    assert images["plane"].isna().all()
    assert images["path"].iloc[0] == str(tmp_path / "BR1/r04c08f05p01-ch1sk1fk1fl1.tiff")


def test_the_plate_is_given_or_the_measurement(tmp_path):
    touch(tmp_path, "BR00117010__2020-11-08T18_18_00-Measurement1/Images/r01c01f01p01-ch1sk1fk1fl1.tiff")
    assert read(tmp_path)["plate"].tolist() == ["BR00117010"]
    assert read(tmp_path, plate="mine")["plate"].tolist() == ["mine"]


def test_names_tell_plane_and_time(tmp_path):
    touch(
        tmp_path,
        "P/r01c01f01p01-ch1sk1fk1fl1.tiff",
        "P/r01c01f01p12-ch1sk3fk1fl1.tiff",
        "Q/r01c01f01p02-ch1fk1fl1.tiff",
    )
    images = read(tmp_path).sort_values("path")
    assert images["z"].tolist() == [1, 12, 2]
    assert images["time"].tolist() == [1, 3, pd.NA]


def test_fast_series_are_refused_and_can_be_chosen_from(tmp_path):
    touch(tmp_path, "P/r01c01f01p01-ch1sk1fk1fl1.tiff", "P/r01c01f01p01-ch1sk1fk2fl1.tiff")
    with pytest.raises(
        ValueError, match=r"fast series or fluorescence lifetimes \(fk1fl1, fk2fl1\); choose one by `files`"
    ):
        read(tmp_path)
    assert len(read(tmp_path, files="**/*fk1fl1.*")) == 1


def test_no_image(tmp_path):
    touch(tmp_path, "P/image.tiff")
    with pytest.raises(FileNotFoundError, match=r"no image named like r04c08f05p01-ch1sk1fk1fl1.tiff below"):
        read(tmp_path)

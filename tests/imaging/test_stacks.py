"""Choice of planes and time points, for all layouts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.images import read_field
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.plates import field_planes, ingest_plates
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.imaging.store import PlateStore
from small_screens import OPERA_CHANNELS

SOURCE = Source("mine", "opera_phenix", Platemap("map.csv"), "images", bit_depth=12, channels=OPERA_CHANNELS)


@pytest.fixture
def stacks(tmp_path):
    """Plate P with the wells A01 and A02: three planes (p01 to p03) at two time points (sk1, sk2); its pixels."""
    rng = np.random.default_rng(0)
    (tmp_path / "images/P").mkdir(parents=True)
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,C1,CCO,a\nA02,C2,CCN,b\n")
    pixels = {}
    for well in (1, 2):
        for number, channel in OPERA_CHANNELS.items():
            for z in (1, 2, 3):
                for time in (1, 2):
                    image = rng.integers(0, 4096, (8, 9), dtype=np.uint16)
                    tifffile.imwrite(file(tmp_path, well, z, number, time), image)
                    pixels[f"A0{well}", channel, z, time] = image
    return tmp_path, pixels


def file(folder, well, z, number, time):
    return folder / f"images/P/r01c0{well}f01p0{z}-ch{number}sk{time}fk1fl1.tiff"


def fields_of(folder, **settings):
    """Pixels of each well by the index, and the index."""
    index, _, rejected = index_screen(folder, "mine", [replace(SOURCE, **settings)])
    schemas.field_index.validate(index)
    schemas.rejected_fields.validate(rejected)
    fields = [read_field(planes, 12, None) for planes in zip(*field_planes(index), strict=True)]
    return dict(zip(index["well"], fields, strict=True)), index, rejected


@pytest.mark.parametrize(("z", "time"), [(1, 1), (3, 2)])
def test_one_plane_at_one_time(stacks, z, time):
    folder, pixels = stacks
    fields, index, rejected = fields_of(folder, z=z, time=time)
    assert rejected.empty
    assert not [column for column in index if column.startswith("more_")]
    for well, field in fields.items():
        np.testing.assert_array_equal(field, [pixels[well, channel, z, time] for channel in CHANNELS])


def test_maximum_over_the_planes_at_one_time(stacks):
    folder, pixels = stacks
    fields, _, rejected = fields_of(folder, z="max", time=2)
    assert rejected.empty
    assert set(fields) == {"A01", "A02"}
    for well, field in fields.items():
        expected = [np.max([pixels[well, channel, z, 2] for z in (1, 2, 3)], axis=0) for channel in CHANNELS]
        np.testing.assert_array_equal(field, expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"z": 1}, r"source mine has images of several time points \(1, 2\); choose one by `time` of this source"),
        ({"time": 1}, r"several z planes \(1, 2, 3\); choose one by `z` of this source, e.g. z: 1, or `z: max`"),
        ({"time": 7, "z": 1}, "there is no time 7 among its time points: they are 1, 2$"),
        ({"time": 1, "z": 4}, "there is no z 4 among its z planes: they are 1, 2, 3$"),
    ],
)
def test_a_choice_that_is_lacking_or_impossible(stacks, settings, message):
    with pytest.raises(ValueError, match=message):
        fields_of(stacks[0], **settings)


def test_files_without_planes_have_none_to_choose(tmp_path, monkeypatch):
    images = pd.DataFrame(
        [{"plate": "P", "well": "A01", "site": 1, "path": "a.tiff", "channel": "DNA", "reason": None}]
    )
    images = images.assign(z=pd.NA, time=pd.NA, plane=pd.NA).astype({"z": "Int64", "time": "Int64"})
    monkeypatch.setattr("cloome_kedro.imaging.index.read_layout", lambda *arguments: images)
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="there is no z max among its z planes: its files give none; leave out `z`"):
        index_screen(tmp_path, "mine", [replace(SOURCE, z="max")])


def test_planes_of_other_channels_are_not_asked(stacks):
    """A stack of brightfield beside one plane of fluorescence needs no choice."""
    folder, pixels = stacks
    for path in folder.glob("images/P/*"):
        if "p02" in path.name or "p03" in path.name or "sk2" in path.name:
            path.rename(path.with_name(path.name.replace("-ch", "-ch1")))
    fields, _, rejected = fields_of(folder)
    assert rejected.empty
    np.testing.assert_array_equal(fields["A02"], [pixels["A02", channel, 1, 1] for channel in CHANNELS])


def test_a_field_without_one_plane_is_set_aside(stacks):
    folder, _ = stacks
    file(folder, 1, 2, "5", 1).unlink()
    fields, _, rejected = fields_of(folder, z="max", time=1)
    assert list(fields) == ["A02"]
    assert rejected["reason"].tolist() == ["missing channel DNA, z 2: no file is listed"]
    fields, _, rejected = fields_of(folder, z=1, time=1)
    assert rejected.empty
    assert len(fields) == 2


def test_a_field_without_one_channel_is_set_aside_once(stacks):
    folder, _ = stacks
    for path in folder.glob("images/P/*-ch5*"):
        path.rename(folder / path.name)
    (folder / "images/Q").mkdir()
    for path in folder.glob("r01c02*-ch5*"):
        path.rename(folder / "images/Q" / path.name)
    _, index, rejected = fields_of(folder, z="max", time=1)
    assert index.empty
    reasons = rejected.set_index(["plate", "well"])["reason"]
    assert reasons["P", "A01"] == "missing channel DNA, z 1: no file is listed"
    assert reasons["Q", "A02"].startswith("missing channel Mito, z 1: no file is listed; missing channel ER, z 1")


def test_a_choice_or_a_changed_plane_makes_the_plate_again(stacks, tmp_path):
    folder, _ = stacks
    store = PlateStore(tmp_path / "plates")
    store.folder.mkdir()

    def ingest(z):
        _, index, rejected = fields_of(folder, z=z, time=1)
        ingest_plates(store, index, rejected, Storage(), n_jobs=1)
        return store.digest("P"), np.load(store.images("P"))

    maximum, images = ingest("max")
    assert ingest("max")[0] == maximum
    one, others = ingest(1)
    assert one != maximum
    assert (images != others).any()
    third = file(folder, 2, 3, "5", 1)
    tifffile.imwrite(third, np.full((8, 9), 4095, np.uint16), compression="zlib")
    changed, images = ingest("max")
    assert changed != maximum
    assert (images[1, CHANNELS.index("DNA")] == 255).all()
    assert ingest(1)[0] == one


def test_sources_with_and_without_stacks_are_one_index(stacks, tmp_path):
    folder, pixels = stacks
    (folder / "single/Q").mkdir(parents=True)
    for number in OPERA_CHANNELS:
        file(folder, 2, 3, number, 2).rename(folder / f"single/Q/r01c02f01p01-ch{number}sk1fk1fl1.tiff")
    stacked, single = replace(SOURCE, z="max", time=1), replace(SOURCE, name="single", folder="single")
    index, _, rejected = index_screen(folder, "mine", [stacked, single])
    assert rejected.empty
    index.to_parquet(tmp_path / "index.parquet")
    index = schemas.field_index.validate(pd.read_parquet(tmp_path / "index.parquet"))
    fields = dict(zip(index["field_id"], zip(*field_planes(index), strict=True), strict=True))
    assert {name: [isinstance(planes, list) for planes in field] for name, field in fields.items()} == {
        "mine/P/A01/1": [True] * 5,
        "mine/P/A02/1": [True] * 5,
        "mine/Q/A02/1": [False] * 5,
    }
    expected = [pixels["A02", channel, 3, 2] for channel in CHANNELS]
    np.testing.assert_array_equal(read_field(fields["mine/Q/A02/1"], 12, None), expected)

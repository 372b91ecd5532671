"""CZI files, and scenes of bioio in general, from their names to fields."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.images import read_field
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.layouts.recognition import recognise_layouts
from cloome_kedro.imaging.readers import BadField, bioio_file, read_image, read_planes
from cloome_kedro.imaging.sources import Platemap, Source

bioio = pytest.importorskip("bioio")

SOURCE = Source("mine", "bioio", Platemap("map.csv"), bit_depth=16)
RNG = np.random.default_rng(0)


def read(folder, **settings):
    return read_layout("bioio", folder, replace(SOURCE, **settings))


def write_czi(path: Path, images: np.ndarray, channels=CHANNELS, scenes=()) -> Path:
    """Write a CZI whose images have the dimensions (scene, time, channel, z, height, width)."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    path.parent.mkdir(parents=True, exist_ok=True)
    width = images.shape[-1]
    with czi.create_czi(str(path)) as file:
        for scene, time, channel, z in np.ndindex(images.shape[:4]):
            file.write(
                images[scene, time, channel, z][..., None],
                plane={"T": time, "C": channel, "Z": z},
                scene=scene,
                location=(scene * (width + 10), 0),
            )
        file.write_metadata("x" * 2000, channel_names=dict(enumerate(channels)))
    # pylibCZIrw cannot write names of scenes; they take the place of the title in the metadata of the file
    names = "".join(f'<Scene Index="{i}" Name="{name}"/>' for i, name in enumerate(scenes))
    content = path.read_bytes()
    start = content.index(b"<ImageDocument>")
    stop = content.index(b"</ImageDocument>")
    metadata = re.sub(b"<Title>x*</Title>", b"", content[start:stop])
    metadata = metadata.replace(b"<Dimensions>", f"<Dimensions><S><Scenes>{names}</Scenes></S>".encode())
    path.write_bytes(content[:start] + metadata.ljust(stop - start) + content[stop:])
    return path


@pytest.fixture
def scenes(monkeypatch, tmp_path):
    """Files with given scenes: ``scenes(name, {scene: images (T, C, Z, H, W)}, channel names)``."""
    files = {}

    def write(name, images, channels=CHANNELS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        files[str(path)] = images, channels
        return path

    def open_image(path):
        images, channels = files[path]
        image = bioio.BioImage(list(images.values()), dim_order="TCZYX", channel_names=list(channels))
        names = list(images)
        reader = image.reader
        monkeypatch.setattr(type(reader), "scenes", property(lambda _: tuple(names)))
        return image

    monkeypatch.setattr(bioio_file, "open_image", open_image)
    bioio_file._read_scenes.cache_clear()
    yield write
    bioio_file._read_scenes.cache_clear()


def stack(times=1, channels=5, z=1, height=6, width=7):
    return RNG.integers(1, 4000, (times, channels, z, height, width), dtype=np.uint16)


# ---- names of files and scenes


@pytest.mark.parametrize(
    ("file", "names", "fields"),
    [
        ("24277.czi", ["B02_s1", "B02_s2"], [("24277", "B02", 1), ("24277", "B02", 2)]),
        ("many.nd2", ["24277_C3-f7"], [("24277", "C03", 7)]),
        ("24277.lif", ["P1-B2", "P2-B2", "P3-C2"], [("24277", "B02", 1), ("24277", "B02", 2), ("24277", "C02", 1)]),
        ("24277.czi", ["A1-A1", "A2"], [("24277", "A01", 1), ("24277", "A02", 1)]),
        ("P1/B02_s3.czi", ["Image:0"], [("P1", "B02", 3)]),
        ("images/24277_B02_3.lif", ["Series001"], [("24277", "B02", 3)]),
        ("P1/B02.nd2", ["XYPos:0", "XYPos:1"], [("P1", "B02", 1), ("P1", "B02", 2)]),
        ("images/24277_B02.nd2", ["XYPos:0", "XYPos:1"], [("24277", "B02", 1), ("24277", "B02", 2)]),
    ],
)
def test_names_of_scenes_and_files_give_the_fields(scenes, tmp_path, file, names, fields):
    path = scenes(file, {name: stack() for name in names})
    images = read(tmp_path)
    assert images["reason"].isna().all()
    assert list(images[["plate", "well", "site"]].drop_duplicates().itertuples(index=False, name=None)) == fields
    assert images["plane"].tolist() == list(range(5 * len(fields)))
    assert images["channel"].tolist() == list(CHANNELS) * len(fields)
    assert set(images["path"]) == {str(path)}
    assert set(read(tmp_path, plate="mine")["plate"]) == {"mine"}


def test_a_pattern_of_the_source_comes_first(scenes, tmp_path):
    scenes("slide7.lif", {"Scan 1/B/2/R4": stack(), "B02_s9": stack()})
    images = read(tmp_path, pattern=r"(?P<plate>slide\d).lif/Scan 1_(?P<row>[A-P])_(?P<column>\d+)_R(?P<site>\d+)")
    good = images[images["reason"].isna()]
    assert list(good[["plate", "well", "site"]].itertuples(index=False, name=None)) == [("slide7", "B02", 4)] * 5
    (bad,) = images.loc[images["reason"].notna(), "reason"]
    assert "slide7.lif/B02_s9 does not fit `pattern`" in bad
    images = read(tmp_path, pattern=r"(?P<well>B02)_s9|Scan.*(?P<row>B)_(?P<column>\d).*")
    assert images["reason"].isna().all()
    assert images["site"].unique().tolist() == [1, 2], "without a site, the scenes of a well are counted"
    with pytest.raises(ValueError, match=r"pattern '\(' is not a regular expression"):
        read(tmp_path, pattern="(")


def test_scenes_without_a_well_are_set_aside(scenes, tmp_path):
    scenes("24277.czi", {"B02": stack(), "overview": stack()})
    scenes("P1/B02_s1.czi", {"Image:0": stack(), "Image:1": stack()})
    images = read(tmp_path)
    bad = images[images["reason"].notna()]
    assert bad["reason"].str.contains("gives no well such as B02 or B02_s1; set `pattern` of this source").all()
    assert sorted(bad["well"]) == ["Image:0", "Image:1", "overview"]
    assert set(images.loc[images["reason"].isna(), "well"]) == {"B02"}


@pytest.mark.parametrize("channels", [["DNA"] * 5, ["DNA", "ER", "RNA", "AGP", ""]])
def test_channels_without_names_are_numbers(scenes, tmp_path, channels):
    scenes("P/B02_s1.czi", {"Image:0": stack()}, channels)
    assert read(tmp_path)["channel"].tolist() == ["1", "2", "3", "4", "5"]


# ---- planes


def test_planes_are_numbered_through_scenes_of_different_sizes(scenes, tmp_path):
    images = {"B02": stack(2, 5, 3), "B03": stack(1, 5, 1, 4, 5), "C02": stack(1, 5, 2)}
    path = scenes("24277.czi", images)
    table = read(tmp_path)
    assert table["plane"].tolist() == list(range(30 + 5 + 10))
    arrays = list(read_planes(str(path), table["plane"].tolist()))
    for row, array in zip(table.itertuples(), arrays, strict=True):
        np.testing.assert_array_equal(array, images[row.well][row.time, CHANNELS.index(row.channel), row.z])
    with pytest.raises(BadField, match=r"24277.czi has no plane 45, only 45 planes"):
        read_image(str(path), 45)
    with pytest.raises(BadField, match=r"24277.czi has 45 planes; the plane must be named"):
        read_image(str(path))


def test_equal_scenes_follow_the_documented_number(scenes, tmp_path):
    images = {f"B0{i}": stack(2, 5, 3) for i in range(1, 4)}
    path = scenes("24277.czi", images)
    for scene, time, channel, z in [(0, 0, 0, 0), (1, 1, 4, 2), (2, 0, 3, 1)]:
        plane = ((scene * 2 + time) * 5 + channel) * 3 + z
        np.testing.assert_array_equal(read_image(str(path), plane), images[f"B0{scene + 1}"][time, channel, z])


def test_large_planes_are_refused_or_read_one_by_one(scenes, tmp_path, monkeypatch):
    images = stack()
    path = scenes("P/B02_s1.czi", {"Image:0": images})
    monkeypatch.setattr(bioio_file, "LARGEST_IMAGE", 6 * 7 * 2)
    np.testing.assert_array_equal(list(read_planes(str(path), range(5))), images[0, :, 0])
    monkeypatch.setattr(bioio_file, "LARGEST_IMAGE", 6 * 7)
    with pytest.raises(BadField, match=r"B02_s1.czi is too large: a plane has 84 bytes, at most 42 are read"):
        read_image(str(path), 0)


# ---- real CZI files


def test_scenes_of_a_czi_are_fields(tmp_path):
    images = RNG.integers(1, 4000, (3, 1, 5, 1, 20, 24), dtype=np.uint16)
    path = write_czi(tmp_path / "P7/24277.czi", images, scenes=["P1-B2", "P2-B2", "P3-C11"])
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nB02,C1,CCO,a\nC11,C2,CCN,b\n")
    index, _, rejected = index_screen(tmp_path, "mine", [replace(SOURCE, folder="P7")])
    schemas.field_index.validate(index)
    assert rejected.empty
    assert index["field_id"].tolist() == ["mine/24277/B02/1", "mine/24277/B02/2", "mine/24277/C11/1"]
    for scene, row in enumerate(index.to_dict("records")):
        assert row["path_DNA"] == str(path)
        field = read_field([(row[f"path_{channel}"], row[f"plane_{channel}"]) for channel in CHANNELS], 16, None)
        np.testing.assert_array_equal(field, images[scene, 0, :, 0])


def test_z_stacks_and_times_of_a_czi(tmp_path):
    images = RNG.integers(1, 250, (1, 2, 5, 3, 20, 24), dtype=np.uint8)
    path = write_czi(tmp_path / "P7/B02_s1.czi", images)
    table = read(tmp_path)
    assert len(table) == 30
    for row, array in zip(table.itertuples(), read_planes(str(path), table["plane"].tolist()), strict=True):
        np.testing.assert_array_equal(array, images[0, row.time, CHANNELS.index(row.channel), row.z])


# ---- what is refused


@pytest.mark.parametrize("suffix", [".czi", ".nd2", ".lif"])
@pytest.mark.parametrize("content", [b"", b"no image" * 100])
def test_files_of_another_kind_are_set_aside(tmp_path, suffix, content):
    (tmp_path / "P7").mkdir()
    path = tmp_path / f"P7/B02_s1{suffix}"
    path.write_bytes(content)
    (reason,) = read(tmp_path)["reason"]
    assert f"{path}: B02_s1{suffix} cannot be read" in reason
    with pytest.raises(BadField, match=rf"B02_s1{suffix} cannot be read"):
        read_image(str(path), 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_czi_is_set_aside(tmp_path, share):
    path = write_czi(tmp_path / "P7/B02_s1.czi", RNG.integers(1, 4000, (1, 1, 5, 1, 200, 240), dtype=np.uint16))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    write_czi(tmp_path / "P7/B03_s1.czi", RNG.integers(1, 4000, (1, 1, 5, 1, 20, 24), dtype=np.uint16))
    table = read(tmp_path)
    assert table.loc[table["reason"].isna(), "well"].tolist() == ["B03"] * 5
    (reason,) = table["reason"].dropna()
    assert re.search(r"P7/B02_s1.czi: B02_s1.czi cannot be read: .*Not enough data read at offset", reason)
    assert "\n" not in reason


def test_a_czi_without_a_plane_is_refused(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "B02_s1.czi"
    with czi.create_czi(str(path)) as file:
        for channel in (0, 1, 3, 4):
            file.write(np.ones((20, 24, 1), np.uint16), plane={"T": 0, "C": channel, "Z": 0}, scene=0, location=(0, 0))
        file.write_metadata("title", channel_names=dict(enumerate(CHANNELS)))
    with pytest.raises(BadField, match=r"channel Mito: B02_s1.czi is unreadable or truncated: No subblocks intersect"):
        read_field([(str(path), plane) for plane in range(5)], 16, None)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file such as 24277.czi, B02_s1.nd2 or B02.lif below"):
        read(tmp_path)


def test_missing_packages_are_named(tmp_path, monkeypatch):
    path = tmp_path / "B02_s1.czi"
    path.touch()
    monkeypatch.setitem(bioio_file._MODULES, ".czi", "no_such_module")
    with pytest.raises(
        ImportError, match=r"B02_s1.czi needs bioio and no-such-module: pip install 'cloome-kedro\[form"
    ):
        read_image(str(path), 0)


def test_files_are_recognised_by_their_suffix():
    (found,) = recognise_layouts(["a/B02_s1.CZI", "b.lif", "map.csv"])
    assert (found.layout, found.files, found.example) == ("bioio", 2, "a/B02_s1.CZI")

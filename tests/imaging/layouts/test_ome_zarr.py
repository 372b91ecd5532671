"""OME-Zarr plates of NGFF 0.4 and 0.5, from their metadata to the plate store."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorstore

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.images import read_field
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.layouts.ome_zarr import recognise
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.readers import BadField, locate, read_image, read_planes, stamp
from cloome_kedro.imaging.remote import RemotePath
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.imaging.store import PlateStore
from ome_zarr_plates import (
    VERSIONS,
    edit_metadata,
    lay_out_as_ome_zarr,
    write_field,
    write_group,
    write_ome_zarr,
)
from small_screens import make_source, write_load_data_screen

FIELD = np.random.default_rng(0).integers(1, 4096, (5, 24, 32), dtype=np.uint16)
STAINS = ["Hoechst", "ERSyto", "ERSytoBleed", "Ph_golgi", "Mito"]
by_version = pytest.mark.parametrize("version", VERSIONS)


def read(folder, **settings):
    return read_layout("ome_zarr", folder, Source("mine", "ome_zarr", Platemap("map.csv"), **settings))


def attributes_file(folder: Path) -> Path:
    return next(folder / name for name in ("zarr.json", ".zattrs") if (folder / name).is_file())


# ---- plates, wells and sites


@by_version
def test_a_plate_is_listed_field_by_field_and_channel_by_channel(tmp_path, version):
    fields = {(well, site): FIELD for well in ("B02", "C11") for site in (0, 1)}
    plate = write_ome_zarr(tmp_path / "P7.ome.zarr", fields, version, labels=STAINS)
    images = read(tmp_path)
    assert len(images) == 4 * 5
    assert images[["plate", "well", "site"]].drop_duplicates().to_numpy().tolist() == [
        ["P7", well, site] for well, site in fields
    ]
    first = images[(images["well"] == "C11") & (images["site"] == 1)]
    assert first["channel"].tolist() == STAINS
    assert first["plane"].tolist() == [0, 1, 2, 3, 4]
    assert set(first["path"]) == {str(plate / "C/11/1/0")}
    assert images[["z", "time"]].eq(0).all(axis=None)
    assert images["reason"].isna().all()


@by_version
def test_plates_have_the_name_in_their_metadata_or_of_their_folder(tmp_path, version):
    write_ome_zarr(tmp_path / "a/first.ome.zarr", {("A01", 0): FIELD}, version, name="24277")
    write_ome_zarr(tmp_path / "b/24278.zarr", {("A01", 0): FIELD}, version)
    assert set(read(tmp_path)["plate"]) == {"24277", "24278"}
    assert set(read(tmp_path, files="*/*.ome.zarr")["plate"]) == {"24277"}
    assert set(read(tmp_path / "a/first.ome.zarr", plate="mine")["plate"]) == {"mine"}
    with pytest.raises(ValueError, match=r"first.ome.zarr and .*24278.zarr are both called mine"):
        read(tmp_path, plate="mine")


def test_plates_with_one_name_are_named_by_their_folders(tmp_path, caplog):
    for folder in ("P1.ome.zarr", "P2.ome.zarr"):
        write_ome_zarr(tmp_path / folder, {("A01", 0): FIELD}, name="plate")
    assert set(read(tmp_path)["plate"]) == {"P1", "P2"}
    assert "have the same name in their metadata; folders name them" in caplog.text


@pytest.mark.parametrize(
    ("paths", "sites"),
    [(["0", "1"], [0, 1]), (["1", "5"], [1, 5]), (["FOV_1", "FOV_2"], [0, 1]), (["1", "01"], [0, 1])],
)
def test_a_site_is_the_number_of_the_folder_or_the_order(tmp_path, paths, sites):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD})
    well = plate / "A/01"
    for path in paths:
        if path != "0":
            shutil.copytree(well / "0", well / path)
    edit_metadata(well, lambda content: content["well"].update(images=[{"path": path} for path in paths]))
    images = read(tmp_path).drop_duplicates("site")
    assert images["site"].tolist() == sites
    assert [Path(path).parent.name for path in images["path"]] == paths


@pytest.mark.parametrize(
    ("rows", "columns", "well"),
    [
        ([{"name": "B"}], [{"name": "2"}], "B02"),
        ([{"name": "2"}], [{"name": "02"}], "B02"),
        (None, None, "A01"),
        ([], [{}], "A01"),
    ],
)
def test_rows_and_columns_name_a_well(tmp_path, rows, columns, well):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD})
    edit_metadata(plate, lambda content: content["plate"].update(rows=rows, columns=columns))
    assert set(read(tmp_path)["well"]) == {well}


def test_acquisitions_are_counted_in_a_warning(tmp_path, caplog):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD, ("A01", 1): FIELD})
    edit_metadata(
        plate / "A/01",
        lambda content: [image.update(acquisition=i) for i, image in enumerate(content["well"]["images"])],
    )
    assert set(read(tmp_path)["site"]) == {0, 1}
    assert "has 2 acquisitions" in caplog.text


# ---- axes and channels


@by_version
@pytest.mark.parametrize("axes", ["cyx", "czyx", "tcyx", "tczyx", "tzcyx"])
def test_planes_are_numbered_in_the_order_of_the_axes(tmp_path, version, axes):
    sizes = dict(zip("tczyx", (2, 5, 3, 6, 7), strict=True))
    shape = [sizes[axis] for axis in axes]
    stack = np.random.default_rng(1).integers(1, 200, shape, dtype=np.uint8)
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): stack}, version, axes=axes)
    images = read(tmp_path)
    assert len(images) == np.prod(shape[:-2])
    for row in images.itertuples():
        position = {"t": row.time, "z": row.z, "c": CHANNELS.index(row.channel)}
        expected = stack[tuple(position[axis] for axis in axes[:-2])]
        np.testing.assert_array_equal(read_image(row.path, row.plane), expected)


@pytest.mark.parametrize("labels", [None, ["DNA", "ER", "RNA", "AGP", "DNA"], ["DNA", "ER", "RNA", "AGP", ""]])
def test_channels_without_names_are_numbers(tmp_path, labels):
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, labels=labels)
    assert read(tmp_path)["channel"].tolist() == ["1", "2", "3", "4", "5"]


def test_an_image_without_axis_of_channels_has_one(tmp_path):
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD[:1]}, axes="yx", labels=["DNA"])
    images = read(tmp_path)
    assert images[["channel", "plane"]].to_numpy().tolist() == [["DNA", 0]]
    np.testing.assert_array_equal(read_image(images["path"][0], 0), FIELD[0])


# ---- from plates to fields


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    files = write_load_data_screen(folder, plates=2, wells=3, sites=2)
    source = make_source(files)
    index, compounds, rejected = index_screen(folder, "mine", [source])
    assert rejected.empty
    for version in VERSIONS:
        lay_out_as_ome_zarr(index, folder / version, version, chunks=(1, 5, 1, 16, 16) if version == "0.5" else None)
    return folder, source, index, compounds


@by_version
@pytest.mark.parametrize("storage", [Storage(), Storage(scope="plate", crop=20, size=(10, 5))])
def test_fields_are_equal_to_those_of_the_original_files(screen, tmp_path, version, storage):
    folder, files, index, compounds = screen
    source = replace(files, layout="ome_zarr", folder=version)
    of_plates, same_compounds, rejected = index_screen(folder, "mine", [source])
    schemas.field_index.validate(of_plates)
    assert rejected.empty
    assert of_plates["field_id"].tolist() == index["field_id"].tolist()
    pd.testing.assert_frame_equal(same_compounds, compounds)
    stores = []
    for name, table in (("files", index), ("plates", of_plates)):
        store = PlateStore(tmp_path / name)
        store.folder.mkdir()
        fields, rejected = ingest_plates(store, table, rejected, storage, n_jobs=1)
        assert rejected.empty
        stores.append((store, fields))
    pd.testing.assert_frame_equal(stores[0][1], stores[1][1])
    for plate in ("P1", "P2"):
        assert stores[0][0].images(plate).read_bytes() == stores[1][0].images(plate).read_bytes()


@pytest.mark.skipif("CLOOME_DATA" not in os.environ, reason="CLOOME_DATA is not set")
def test_real_fields_are_equal_to_those_of_the_original_files(tmp_path):
    folder = tmp_path / "screen"
    folder.mkdir()
    for plate in ("SQ00015198", "SQ00015230"):
        (folder / "opera" / plate).mkdir(parents=True)
        for path in Path(os.environ["CLOOME_DATA"], "lincs_fields", plate).glob("r01c*f01p01-*"):
            shutil.copy(path, folder / "opera" / plate)
    pd.DataFrame(
        {
            "well_position": ["A01", "A13"],
            "broad_sample": ["DMSO", "X"],
            "smiles": ["CS(C)=O", "CCO"],
            "pert_iname": "a",
        }
    ).to_csv(folder / "map.csv", index=False)
    channels = dict(zip("12345", ["DNA", "ER", "RNA", "AGP", "Mito"], strict=True))
    source = Source("lincs", "opera_phenix", Platemap("map.csv"), "opera", channels=channels, bit_depth=8)
    index, _, rejected = index_screen(folder, "lincs", [source])
    assert len(index) == 4
    stored = {}
    for version, chunks in (("files", None), ("0.4", (1, 1, 1, 512, 512)), ("0.5", (1, 5, 1, 270, 270))):
        if version != "files":
            shards = (1, 5, 1, 1080, 1080) if version == "0.5" else None
            lay_out_as_ome_zarr(index, folder / version, version, chunks=chunks, shards=shards)
            source = replace(source, layout="ome_zarr", folder=version, channels={})
            index, _, rejected = index_screen(folder, "lincs", [source])
        store = PlateStore(tmp_path / version)
        store.folder.mkdir()
        ingest_plates(store, index, rejected, Storage(crop=1000, size=(100, 100)), n_jobs=1)
        stored[version] = [np.load(store.images(plate)) for plate in ("SQ00015198", "SQ00015230")]
    for version in VERSIONS:
        np.testing.assert_array_equal(stored[version], stored["files"])


@by_version
def test_each_chunk_is_read_once_for_all_planes_of_a_field(tmp_path, version):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, version, chunks=(1, 3, 1, 24, 16))
    before = _reads()
    images = list(read_planes(str(plate / "A/01/0/0"), [4, 0, 3, 0, 1]))
    np.testing.assert_array_equal(images, FIELD[[4, 0, 3, 0, 1]])
    assert _reads() - before == 2 * 2


def _reads() -> int:
    """Number of files that tensorstore has read, without metadata."""
    name = "/tensorstore/cache/chunk_cache/reads"
    return sum(value["value"] for m in tensorstore.experimental_collect_matching_metrics(name) for value in m["values"])


def test_arrays_exist_by_their_metadata_and_change_with_their_chunks(tmp_path):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD, ("A01", 1): FIELD})
    first, second, missing = (str(plate / f"A/01/{site}/0") for site in (0, 1, 2))
    assert locate([first, missing, second]) == [first, None, second]
    before = stamp(first)
    assert before[0] == sum(path.stat().st_size for path in Path(first).rglob("*") if path.is_file())
    assert stamp(missing) == (-1, -1)
    assert stamp(first) == before
    chunk = next(path for path in Path(first).rglob("*") if path.is_file() and not path.name.startswith("."))
    os.utime(chunk, ns=(1, 1))
    assert stamp(first) != before


# ---- what is refused


@by_version
def test_an_image_that_is_not_a_plate_is_refused(tmp_path, version):
    write_field(tmp_path / "image.zarr", FIELD, version, "cyx")
    with pytest.raises(ValueError, match=r"image.zarr is an OME-Zarr image, not a plate: its metadata have no `plate`"):
        read(tmp_path)
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, version)
    assert set(read(tmp_path)["plate"]) == {"P"}


def test_a_folder_without_plates_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no OME-Zarr plate such as P1.ome.zarr below"):
        read(tmp_path)
    write_group(tmp_path / "P.zarr", {"plate": {"wells": []}}, "0.4")
    with pytest.raises(ValueError, match=r"the metadata of the plate .*P.zarr list no well"):
        read(tmp_path)
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD})
    (tmp_path / "P.zarr").rename(tmp_path / "P")
    with pytest.raises(ValueError, match=r"P must have a name that ends with .zarr"):
        read(tmp_path)


def test_plates_on_a_server_are_refused():
    with pytest.raises(ValueError, match=r"s3://bucket/screen: OME-Zarr plates on a server are not read"):
        read(RemotePath("s3://bucket/screen"))


def test_a_pattern_of_files_without_a_plate_is_named(tmp_path):
    write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD})
    with pytest.raises(FileNotFoundError, match=r"there is no OME-Zarr plate Q\*.zarr below"):
        read(tmp_path, files="Q*.zarr")
    assert len(read(tmp_path, files="P.zarr\nQ*.zarr")) == 5


@by_version
@pytest.mark.parametrize("content", ["{", "[1]", "", '{"a": ' * 100_000])
def test_broken_metadata_of_a_plate_are_named(tmp_path, version, content):
    plate = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, version)
    path = attributes_file(plate)
    path.write_text(content)
    with pytest.raises(ValueError, match=r"(zarr.json|.zattrs) (is not valid JSON|has no JSON object)"):
        read(tmp_path)


def _edit(*parts, **changes):
    """Damage: change an entry of the metadata of a folder."""

    def damage(plate: Path) -> None:
        *keys, last = parts[1:]

        def edit(content):
            for key in keys:
                content = content[key]
            content[last] = changes["to"]

        edit_metadata(plate / parts[0], edit)

    return damage


def _array(**changes):
    """Damage: change the metadata of an array of Zarr 2."""

    def damage(plate: Path) -> None:
        path = plate / "B/02/0/0/.zarray"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def _remove(name):
    return lambda plate: shutil.rmtree(plate / name) if (plate / name).is_dir() else (plate / name).unlink()


DAMAGES = {
    "well without metadata": (_remove("B/02/.zattrs"), "has no metadata that list its fields"),
    "well with broken metadata": (lambda plate: (plate / "B/02/.zattrs").write_text("{"), "is not valid JSON"),
    "no folder of the well": (_remove("B/02"), "has no metadata that list its fields"),
    "image without metadata": (_remove("B/02/0/.zattrs"), "has no metadata of an image"),
    "no array": (_remove("B/02/0/0"), "there is no Zarr array"),
    "image without datasets": (_edit("B/02/0", "multiscales", 0, "datasets", to=[]), "list no dataset"),
    "four labels": (_edit("B/02/0", "omero", "channels", to=[{"label": "DNA"}] * 4), "has 5 channels, .* describe 4"),
    "four channels": (_array(shape=[1, 4, 1, 24, 32]), "has 4 channels, but its metadata describe 5"),
    "other axes": (_edit("B/02/0", "multiscales", 0, "axes", to=[*"tczyx"][::-1]), "has the axes x, y, z, c, t"),
    "few axes": (_edit("B/02/0", "multiscales", 0, "axes", to=[*"cyx"]), "5 dimensions, but .* have the axes"),
    "array outside": (
        _edit("B/02/0", "multiscales", 0, "datasets", 0, "path", to="../../../../x"),
        "leaves this folder",
    ),
    "field outside": (_edit("B/02", "well", "images", 0, "path", to="/etc"), "leaves this folder"),
    "well outside": (_edit("", "plate", "wells", 1, "path", to="../Q.zarr/B/02"), "leaves this folder"),
    "well of Windows": (_edit("", "plate", "wells", 1, "path", to="C:\\B\\02"), "leaves this folder"),
    "no well": (
        lambda plate: edit_metadata(
            plate,
            lambda content: (
                content["plate"].update(rows=[], columns=[]) or content["plate"]["wells"][1].update(path="x")
            ),
        ),
        "'x' of .* is not a well",
    ),
    "objects": (_array(dtype="|O", filters=[{"id": "pickle"}]), "has the type 'O'; only arrays of numbers are read"),
    "pickle": (_array(filters=[{"id": "pickle", "protocol": 4}]), "has the codec pickle, which is not read"),
    "many planes": (_array(shape=[10**9, 5, 1, 24, 32]), "has 5,000,000,000 planes"),
    "no shape": (_array(shape=None), "have the shape None; whole numbers are needed"),
    "negative shape": (_array(shape=[1, 5, 1, -24, 32]), "whole numbers are needed"),
    "shape of words": (_array(chunks=["a"]), "whole numbers are needed"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_field_is_set_aside(tmp_path, damage):
    """The other field of the plate is read."""
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,C1,CCO,a\nB02,C2,CCN,b\n")
    plate = write_ome_zarr(tmp_path / "plates/P.zarr", {("A01", 0): FIELD, ("B02", 0): FIELD})
    change, message = DAMAGES[damage]
    change(plate)
    source = Source("mine", "ome_zarr", Platemap("map.csv"), folder="plates")
    index, _, rejected = index_screen(tmp_path, "mine", [source])
    assert index["field_id"].tolist() == ["mine/P/A01/0"]
    assert len(rejected) == 1
    schemas.rejected_fields.validate(rejected)
    assert pd.Series(rejected["reason"]).str.contains(message).all(), rejected["reason"][0]


@by_version
def test_damaged_chunks_are_refused_when_they_are_read(tmp_path, version):
    array = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, version) / "A/01/0/0"
    chunks = sorted(path for path in array.rglob("*") if path.is_file() and not path.name.startswith((".z", "zarr")))
    assert len(chunks) == 5
    chunks[1].write_bytes(chunks[1].read_bytes()[:-7])
    chunks[2].write_bytes(b"")
    chunks[3].unlink()
    np.testing.assert_array_equal(read_image(str(array), 0), FIELD[0])
    for plane, message in (
        (1, "plane 1, is unreadable or truncated"),
        (2, "plane 2, is unread"),
        (3, "plane 3, is not stored"),
    ):
        with pytest.raises(BadField, match=f"P.zarr/A/01/0/0, {message}"):
            read_image(str(array), plane)
    with pytest.raises(BadField, match="has no plane 5, only 5 planes"):
        read_image(str(array), 5)
    with pytest.raises(BadField, match="has 5 planes; the plane must be named"):
        read_image(str(array))


def test_arrays_that_would_fill_the_memory_are_refused(tmp_path):
    array = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}) / "A/01/0/0"
    path = array / ".zarray"
    content = json.loads(path.read_text())
    for changes in ({"shape": [1, 5, 1, 10**6, 10**6]}, {"chunks": [1, 5, 1, 10**5, 10**5]}):
        path.write_text(json.dumps(content | changes))
        with pytest.raises(BadField, match="is too large: a chunk and its images have"):
            read_image(str(array), 0)


def test_pickled_objects_are_never_decoded(tmp_path):
    array = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}) / "A/01/0/0"
    path = array / ".zarray"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"filters": [{"id": "pickle"}]}))
    with pytest.raises(BadField, match="has the codec pickle, which is not read"):
        read_image(str(array), 0)


@pytest.mark.parametrize(
    ("codecs", "message"),
    [
        ([{"name": "bytes"}, {"name": "numcodecs.pickle"}], "has the codec numcodecs.pickle"),
        (
            [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1] * 5, "codecs": [{"name": "mine"}]}}],
            "has the codec mine",
        ),
    ],
)
def test_unknown_codecs_of_zarr_3_are_refused(tmp_path, codecs, message):
    array = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}, "0.5") / "A/01/0/0"
    path = array / "zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"codecs": codecs}))
    with pytest.raises(BadField, match=message):
        read_image(str(array), 0)


def test_the_field_is_named_where_its_images_do_not_fit(tmp_path):
    array = write_ome_zarr(tmp_path / "P.zarr", {("A01", 0): FIELD}) / "A/01/0/0"
    with pytest.raises(BadField, match=r"channel Mito: P.zarr/A/01/0/0 is uint16, but bit_depth 8 needs uint8"):
        read_field([(str(array), plane) for plane in range(5)], 8, None)


# ---- recognition


@by_version
def test_plates_are_recognised_by_their_files(tmp_path, version):
    for plate in ("P1.ome.zarr", "P2.ome.zarr"):
        write_ome_zarr(tmp_path / plate, {("A01", 0): FIELD}, version)
    (tmp_path / "notes.txt").touch()
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    found = recognise(names)
    assert found.layout == "ome_zarr"
    assert found.files == len(names) - 1
    assert found.example == "P1.ome.zarr"
    assert found.notes == ("2 OME-Zarr plates",)
    inside = [path.relative_to(tmp_path / "P1.ome.zarr").as_posix() for path in (tmp_path / "P1.ome.zarr").rglob("*")]
    assert recognise(inside).files == len(inside)
    assert recognise(["A/01/0/image.tif", "image.zarr/0/0"]) is None

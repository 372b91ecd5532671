"""OME-TIFFs with one page per channel, from their names to the plate store."""

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
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.plates import _planes, ingest_plates
from cloome_kedro.imaging.readers import read_image
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.imaging.store import PlateStore
from small_screens import make_source, write_load_data_screen

STAINS = ["Hoechst", "ERSyto", "ERSytoBleed", "Ph_golgi", "Mito"]
PAGES = np.random.default_rng(0).integers(0, 4096, (5, 24, 32), dtype=np.uint16)


def write(path, pages=PAGES, names=STAINS, axes="CYX", **options):
    """Write an OME-TIFF whose channels have these names, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {} if names is None else {"Channel": {"Name": names}}
    tifffile.imwrite(path, pages, ome=True, photometric="minisblack", metadata={"axes": axes, **channels}, **options)
    return path


def read(folder, **settings):
    return read_layout("ome_tiff", folder, Source("mine", "ome_tiff", Platemap("map.csv"), **settings))


# ---- names of files


@pytest.mark.parametrize(
    ("name", "plate", "well", "site"),
    [
        ("P7/B02_s1.ome.tiff", "P7", "B02", 1),
        ("P7/B02_f12.ome.tif", "P7", "B02", 12),
        ("P7/b2_3.OME.TIFF", "P7", "B02", 3),
        ("P7/AA01-s0.ome.tiff", "P7", "AA01", 0),
        ("images/24277_B02_s1.ome.tiff", "24277", "B02", 1),
        ("images/BR-1_2020_H12-9.ome.tiff", "BR-1_2020", "H12", 9),
    ],
)
def test_names_tell_well_and_site_and_perhaps_the_plate(tmp_path, name, plate, well, site):
    path = write(tmp_path / name)
    images = read(tmp_path, files="**/*")
    assert images[["plate", "well", "site"]].drop_duplicates().to_numpy().tolist() == [[plate, well, site]]
    assert set(images["path"]) == {str(path)}


def test_the_plate_of_the_source_comes_first(tmp_path):
    write(tmp_path / "P7/24277_B02_s1.ome.tiff")
    assert set(read(tmp_path)["plate"]) == {"24277"}
    assert set(read(tmp_path, plate="mine")["plate"]) == {"mine"}


def test_other_files_are_passed_over(tmp_path):
    write(tmp_path / "P7/B02_s1.ome.tiff")
    for name in ("P7/overview.ome.tiff", "P7/B02_s2.tiff", "P7/B02_s1.ome.tiff.txt", "P7/B2x_s1.ome.tiff"):
        (tmp_path / name).touch()
    assert len(read(tmp_path)) == 5
    with pytest.raises(
        FileNotFoundError, match=r"no file Q\*/\* named like B02_s1.ome.tiff below .*; correct `folder`"
    ):
        read(tmp_path, files="Q*/*")


def test_a_well_that_there_cannot_be_is_named(tmp_path):
    write(tmp_path / "P7/B00_s1.ome.tiff")
    with pytest.raises(ValueError, match="well 'B00' is not a well"):
        read(tmp_path)


# ---- names of channels


def test_the_metadata_names_the_channel_of_each_page(tmp_path):
    path = write(tmp_path / "P/B02_s1.ome.tiff")
    images = read(tmp_path)
    assert images["channel"].tolist() == STAINS
    assert images["plane"].tolist() == [0, 1, 2, 3, 4]
    for page, number in zip(PAGES, images["plane"], strict=True):
        np.testing.assert_array_equal(read_image(str(path), int(number)), page)


@pytest.mark.parametrize("names", [None, ["DNA", "ER", "RNA", "AGP", "DNA"], ["DNA", "ER", "RNA", "AGP", ""]])
def test_without_a_name_of_its_own_for_each_page_channels_are_numbers(tmp_path, names):
    write(tmp_path / "P/B02_s1.ome.tiff", names=names)
    images = read(tmp_path)
    assert images["channel"].tolist() == ["1", "2", "3", "4", "5"]
    assert images["plane"].tolist() == [0, 1, 2, 3, 4]


def test_each_plate_has_the_names_of_its_first_file(tmp_path):
    write(tmp_path / "P/A01_s1.ome.tiff")
    write(tmp_path / "P/B01_s1.ome.tiff", names=STAINS[::-1])
    write(tmp_path / "Q/A01_s1.ome.tiff", np.concatenate([PAGES, PAGES[:1]]), [*STAINS[::-1], "Brightfield"])
    channels = read(tmp_path).groupby(["plate", "well"])["channel"].apply(list)
    assert channels["P", "A01"] == channels["P", "B01"] == STAINS
    assert channels["Q", "A01"] == [*STAINS[::-1], "Brightfield"]


# ---- planes and time points


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX", "TCYX", "CTYX"])
def test_pages_are_told_apart_in_each_order(tmp_path, axes):
    """The value of a page says its channel and its number along the other axis."""
    first, second = (5 if axis == "C" else 3 for axis in axes[:2])
    channel_first = axes[0] == "C"
    values = np.array(
        [[i * 10 + j if channel_first else j * 10 + i for j in range(second)] for i in range(first)], np.uint16
    )
    path = write(
        tmp_path / "P/B02_s1.ome.tiff", np.broadcast_to(values[..., None, None], (first, second, 6, 7)), axes=axes
    )
    images = read(tmp_path)
    axis = "z" if "Z" in axes else "time"
    assert sorted(zip(images["channel"], images[axis], strict=True)) == sorted((c, z) for c in STAINS for z in range(3))
    assert set(images["time" if axis == "z" else "z"]) == {0}
    for row in images.itertuples():
        assert (read_image(str(path), row.plane) == STAINS.index(row.channel) * 10 + getattr(row, axis)).all()


def test_the_maximum_over_the_pages_of_a_stack(tmp_path):
    stack = np.random.default_rng(1).integers(0, 4096, (3, 5, 24, 32), dtype=np.uint16)
    write(tmp_path / "pages/P/B02_s1.ome.tiff", stack, axes="ZCYX")
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nB02,C1,CCO,a\n")
    source = Source("mine", "ome_tiff", Platemap("map.csv"), folder="pages", bit_depth=12)
    index, _, rejected = index_screen(tmp_path, "mine", [replace(source, z="max")])
    schemas.field_index.validate(index)
    assert rejected.empty
    (planes,) = zip(*_planes(index), strict=True)
    order = [["Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"].index(name) for name in STAINS]
    field = read_field(planes, 12, None)
    np.testing.assert_array_equal(field[order], stack.max(0))
    index, _, _ = index_screen(tmp_path, "mine", [replace(source, z=1)])
    assert "more_DNA" not in index
    (planes,) = zip(*_planes(index), strict=True)
    np.testing.assert_array_equal(read_field(planes, 12, None)[order], stack[1])


# ---- what is refused


def test_pages_that_the_metadata_do_not_explain_are_refused(tmp_path):
    path = write(tmp_path / "P/B02_s1.ome.tiff")
    with tifffile.TiffFile(path, mode="r+b") as file:
        tag = file.pages[0].tags["ImageDescription"]
        tag.overwrite(tag.value.replace('SizeZ="1"', 'SizeZ="2"'))
    with pytest.raises(ValueError, match="has 5 pages.* 5 channels, 2 ") as error:
        read(tmp_path)
    assert str(path) in str(error.value)


def test_files_of_another_kind_are_refused_and_named(tmp_path):
    path = tmp_path / "P/B02_s1.ome.tiff"
    path.parent.mkdir()
    tifffile.imwrite(path, PAGES, photometric="minisblack", ome=False)
    with pytest.raises(ValueError, match=r"B02_s1.ome.tiff has no OME metadata, so it is not an OME-TIFF"):
        read(tmp_path)
    for content in (b"", b"no image"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"B02_s1.ome.tiff cannot be read as an OME-TIFF"):
            read(tmp_path)


# ---- from files to fields


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A screen as five files per field and as one OME-TIFF per field, whose pages are in another order."""
    folder = tmp_path_factory.mktemp("twins")
    files = write_load_data_screen(folder, plates=2, wells=3, sites=2)
    order = ["DNA", "Mito", "AGP", "RNA", "ER"]
    for first in sorted((folder / "images").glob("P*/*_DNA.tiff")):
        stem = first.name.removesuffix("_DNA.tiff")
        pages = np.stack([tifffile.imread(first.with_name(f"{stem}_{channel}.tiff")) for channel in order])
        write(folder / "pages" / first.parent.name / f"{stem}.ome.tiff", pages, order, compression="zlib")
    pages = files | {"layout": "ome_tiff", "folder": "pages"}
    return folder, make_source(files), make_source(pages), order


def test_the_index_says_which_page_of_which_file_a_channel_is(twins):
    folder, files, pages, order = twins
    index, compounds, rejected = index_screen(folder, "mine", [pages])
    of_files, same_compounds, _ = index_screen(folder, "mine", [files])
    schemas.field_index.validate(index)
    schemas.field_index.validate(of_files)
    assert rejected.empty, "five channels of a field may share a file"
    pd.testing.assert_frame_equal(compounds, same_compounds)
    places = [f"{kind}_{channel}" for kind in ("path", "plane") for channel in CHANNELS]
    pd.testing.assert_frame_equal(index.drop(columns=places), of_files.drop(columns=places))
    for channel in CHANNELS:
        assert (index[f"plane_{channel}"] == order.index(channel)).all()
        assert of_files[f"plane_{channel}"].isna().all()
    row = index.set_index("field_id").loc["mine/P2/B01/2"]
    assert {row[f"path_{channel}"] for channel in CHANNELS} == {str(folder / "pages/P2/B01_s2.ome.tiff")}


@pytest.mark.parametrize("storage", [Storage(), Storage(scope="plate", crop=20, size=(10, 5))])
def test_fields_are_equal_to_those_of_five_files(twins, tmp_path, storage):
    folder, *sources, _ = twins
    results = []
    for source in sources:
        store = PlateStore(tmp_path / source.layout)
        store.folder.mkdir()
        index, _, rejected = index_screen(folder, "mine", [source])
        fields, rejected = ingest_plates(store, index, rejected, storage, n_jobs=1)
        assert rejected.empty
        schemas.fields.validate(fields)
        results.append((store, fields))
    (store, fields), (other_store, same_fields) = results
    pd.testing.assert_frame_equal(fields, same_fields)
    assert len(fields) == 2 * 3 * 2
    for name in ("P1", "P2"):
        assert store.images(name).read_bytes() == other_store.images(name).read_bytes()
        assert store.digest(name) != other_store.digest(name), "the files are others"


def test_each_file_is_read_once(twins, tmp_path, monkeypatch):
    folder, _, pages, _ = twins
    index, _, rejected = index_screen(folder, "mine", [pages])
    opened = []

    def counting(path, *arguments):
        opened.append(path)
        return open(path, *arguments)

    monkeypatch.setattr("cloome_kedro.imaging.plates.usual_shape", lambda planes: (24, 32))
    monkeypatch.setattr("cloome_kedro.imaging.readers.base.open", counting, raising=False)
    store = PlateStore(tmp_path)
    ingest_plates(store, index, rejected, Storage(), n_jobs=1)
    assert sorted(opened) == sorted(set(index["path_DNA"]))


def test_another_page_order_makes_the_plate_again(twins, tmp_path):
    """The files stay the same, but a channel map gives their pages other channels."""
    folder, _, pages, _ = twins
    store = PlateStore(tmp_path)
    turned = {"DNA": "Mito", "Mito": "DNA", "AGP": "AGP", "RNA": "RNA", "ER": "ER"}
    stored, digests = [], []
    for channels in ({}, turned):
        index, _, rejected = index_screen(folder, "mine", [replace(pages, channels=channels)])
        ingest_plates(store, index, rejected, Storage(), n_jobs=1)
        stored.append(np.load(store.images("P1")))
        digests.append(store.digest("P1"))
    assert digests[0] != digests[1]
    np.testing.assert_array_equal(stored[1], stored[0][:, [CHANNELS.index(turned[channel]) for channel in CHANNELS]])


def test_a_file_with_too_few_pages_is_set_aside(tmp_path):
    source = {"name": "mine", "layout": "ome_tiff", "folder": "short", "platemap": {"platemaps": "short.csv"}}
    (tmp_path / "short.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,C1,CCO,a\nB01,C2,CCN,b\n")
    write(tmp_path / "short/P/A01_s1.ome.tiff", names=list(CHANNELS))
    write(tmp_path / "short/P/B01_s1.ome.tiff", PAGES[:3], list(CHANNELS[:3]))
    index, _, rejected = index_screen(tmp_path, "mine", [make_source(source)])
    store = PlateStore(tmp_path / "plates")
    store.folder.mkdir()
    fields, rejected = ingest_plates(store, index, rejected, Storage(), max_rejected_fraction=0.5, n_jobs=1)
    assert fields["field_id"].tolist() == ["mine/P/A01/1"]
    assert rejected["field_id"].tolist() == ["mine/P/B01/1"]
    assert "channel AGP: B01_s1.ome.tiff, page 3, is unreadable" in rejected["reason"][0]


def test_numbered_channels_need_a_channel_map(tmp_path):
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nB02,C1,CCO,a\n")
    write(tmp_path / "pages/P/B02_s1.ome.tiff", names=None)
    source = Source("mine", "ome_tiff", Platemap("map.csv"), folder="pages")
    with pytest.raises(
        ValueError, match=r"the channels in its files are 1, 2, 3, 4, 5. Map them by `channels` of this source"
    ):
        index_screen(tmp_path, "mine", [source])
    channels = {"1": "DNA", "2": "ER", "3": "RNA", "4": "AGP", "5": "Mito"}
    mapped = Source("mine", "ome_tiff", Platemap("map.csv"), folder="pages", channels=channels)
    index, _, rejected = index_screen(tmp_path, "mine", [mapped])
    assert rejected.empty
    assert index[[f"plane_{channel}" for channel in ("DNA", "ER", "RNA", "AGP", "Mito")]].to_numpy().tolist() == [
        [*range(5)]
    ]

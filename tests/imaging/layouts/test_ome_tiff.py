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
from cloome_kedro.imaging.layouts.ome_tiff import recognise
from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.imaging.plates import field_planes, ingest_plates
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
    for name in (
        "P7/overview.ome.tiff",
        "P7/B02_s2.tiff",
        "P7/B02_s1.ome.tiff.txt",
        "P7/B2x_s1.ome.tiff",
        f"P7/B02_s{10**30}.ome.tiff",
    ):
        (tmp_path / name).touch()
    assert len(read(tmp_path)) == 5
    with pytest.raises(
        FileNotFoundError, match=r"no file Q\*/\* named like B02_s1.ome.tiff below .*; correct `folder`"
    ):
        read(tmp_path, files="Q*/*")


def test_a_well_that_there_cannot_be_is_set_aside(tmp_path):
    write(tmp_path / "P7/B00_s1.ome.tiff")
    write(tmp_path / "P7/B02_s1.ome.tiff")
    images = read(tmp_path)
    assert images.groupby("well").size().to_dict() == {"B00": 5, "B02": 5}
    reasons = images["reason"].dropna()
    assert set(images.loc[reasons.index, "well"]) == {"B00"}
    assert reasons.str.fullmatch(r".*B00_s1\.ome\.tiff: the well 'B00' in its name is not a well; .*D08").all()


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
    (planes,) = zip(*field_planes(index), strict=True)
    order = [["Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"].index(name) for name in STAINS]
    field = read_field(planes, 12, None)
    np.testing.assert_array_equal(field[order], stack.max(0))
    index, _, _ = index_screen(tmp_path, "mine", [replace(source, z=1)])
    assert "more_DNA" not in index
    (planes,) = zip(*field_planes(index), strict=True)
    np.testing.assert_array_equal(read_field(planes, 12, None)[order], stack[1])


def ome_xml(order="XYCZT", sizes=(5, 1, 1), places="<TiffData/>", names=STAINS, before=""):
    """OME metadata of images of 6 x 7 pixels; ``sizes`` are those of C, Z and T."""
    channels = "".join(f'<Channel ID="Channel:0:{i}" Name="{name}"/>' for i, name in enumerate(names))
    c, z, t = sizes
    return (
        f'<?xml version="1.0"?>{before}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:1">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="7" SizeY="6" '
        f'SizeC="{c}" SizeZ="{z}" SizeT="{t}">{channels}{places}</Pixels></Image></OME>'
    )


def write_xml(path, xml, pages):
    """Write a TIFF with these metadata; all pixels of a page are its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.broadcast_to(np.arange(pages, dtype=np.uint16)[:, None, None], (pages, 6, 7))
    tifffile.imwrite(path, images, description=xml, photometric="minisblack", metadata=None)
    return path


@pytest.mark.parametrize("order", ["XYCZT", "XYCTZ", "XYZCT", "XYZTC", "XYTCZ", "XYTZC"])
def test_the_order_of_dimensions_numbers_the_pages(tmp_path, order):
    sizes = {"C": 5, "Z": 3, "T": 2}
    path = write_xml(tmp_path / "P/B02_s1.ome.tiff", ome_xml(order, tuple(sizes.values())), 30)
    images = read(tmp_path)
    assert len(images) == 30
    first, second, _ = order[2:]
    for row in images.itertuples():
        place = {"C": STAINS.index(row.channel), "Z": row.z, "T": row.time}
        page = place[first] + sizes[first] * (place[second] + sizes[second] * place[order[-1]])
        assert row.plane == page
        assert (read_image(str(path), row.plane) == page).all()


@pytest.mark.parametrize("axes", ["TZCYX", "TCZYX", "ZTCYX", "ZCTYX", "CTZYX", "CZTYX"])
def test_pages_of_another_writer_are_told_apart(tmp_path, axes):
    """Pages are compared with the array as tifffile reads it."""
    sizes = {"T": 2, "Z": 3, "C": 5, "Y": 6, "X": 7}
    stack = np.random.default_rng(2).integers(0, 4096, [sizes[axis] for axis in axes], dtype=np.uint16)
    path = write(tmp_path / "P/B02_s1.ome.tiff", stack, axes=axes)
    for row in read(tmp_path).itertuples():
        place = {"T": row.time, "Z": row.z, "C": STAINS.index(row.channel)}
        expected = stack[tuple(place[axis] for axis in axes[:3])]
        np.testing.assert_array_equal(read_image(str(path), row.plane), expected)


def test_the_metadata_can_place_each_page(tmp_path):
    order = [3, 1, 4, 0, 2]
    places = "".join(f'<TiffData IFD="{page}" FirstC="{c}"/>' for page, c in enumerate(order))
    write_xml(tmp_path / "P/B02_s1.ome.tiff", ome_xml(places=places), 5)
    assert read(tmp_path)["channel"].tolist() == [STAINS[c] for c in order]
    parts = '<TiffData IFD="3" PlaneCount="2"/><TiffData IFD="0" FirstC="2" PlaneCount="3"/>'
    write_xml(tmp_path / "P/B02_s1.ome.tiff", ome_xml(places=parts), 5)
    assert read(tmp_path)["channel"].tolist() == [*STAINS[2:], *STAINS[:2]]


# ---- one file per channel


def test_the_name_of_a_file_can_end_with_the_channel(tmp_path):
    for site in (1, 2):
        for page, name in zip(PAGES, STAINS, strict=True):
            write(tmp_path / f"images/24277_B02_s{site}_{name}.ome.tiff", page, None, "YX")
    images = read(tmp_path)
    assert images[["plate", "well"]].drop_duplicates().to_numpy().tolist() == [["24277", "B02"]]
    assert sorted(zip(images["site"], images["channel"], strict=True)) == sorted((i, c) for i in (1, 2) for c in STAINS)
    for row in images.itertuples():
        np.testing.assert_array_equal(read_image(row.path, row.plane), PAGES[STAINS.index(row.channel)])


@pytest.mark.parametrize("names", [STAINS, None])
def test_metadata_name_a_channel_that_the_name_of_the_file_only_numbers(tmp_path, names):
    for i, page in enumerate(PAGES):
        write(tmp_path / f"P/B02_s1_w{i + 1}.ome.tiff", page, names and [names[i]], "YX")
    assert sorted(read(tmp_path)["channel"]) == sorted(names or ["w1", "w2", "w3", "w4", "w5"])
    mapped = {f"w{i + 1}": channel for i, channel in enumerate(CHANNELS)}
    assert sorted(read(tmp_path, channels=mapped)["channel"]) == sorted(mapped), "the map of the source comes first"


def test_metadata_name_the_channels_of_files_in_several_folders(tmp_path, caplog):
    for page, name in zip(PAGES, STAINS, strict=True):
        for well in ("B02", "C03"):
            write(tmp_path / f"{name}/P_{well}_1.ome.tiff", page, [name], "YX")
    assert sorted(read(tmp_path)["channel"]) == sorted(STAINS * 2)
    (tmp_path / "Mito/P_C03_1.ome.tiff").write_bytes(b"II*\0")
    images = read(tmp_path)
    assert sorted(images.loc[images["well"] == "C03", "channel"]) == sorted(set(STAINS) - {"Mito"})
    assert "a channel of P C03, site 1, is missing" in caplog.text


def test_a_channel_in_the_name_of_a_file_with_all_channels_is_not_used(tmp_path):
    write(tmp_path / "P/B02_s1_corrected.ome.tiff")
    assert read(tmp_path)["channel"].tolist() == STAINS


def test_files_are_recognised_by_their_names():
    names = ["P/B02_s1.ome.tiff", "P/B02_s2.ome.tif", "P/overview.ome.tiff", "map.csv"]
    assert recognise(names) == Recognised("ome_tiff", 2, example=names[0])
    (note,) = recognise(["P/B02_s1_DNA.ome.tiff", "P/B02_s1_ER.ome.tiff"]).notes
    assert "DNA, ER" in note
    assert recognise(["P/overview.ome.tiff"]) is None


# ---- what is refused


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (ome_xml(sizes=(4, 1, 1)), "has 5 pages, but its OME metadata describe 4 channels, 1 z and 1 time points"),
        (ome_xml(sizes=(0, 1, 1)), "describe 0 channels"),
        (ome_xml(sizes=("five", 1, 1)), "invalid literal"),
        (ome_xml(order="XYC"), "have the DimensionOrder XYC"),
        (ome_xml(order="YXCZT"), "have the DimensionOrder YXCZT"),
        (ome_xml(places='<TiffData IFD="4" PlaneCount="2"/>'), "describe pages that it does not have"),
        (ome_xml(places='<TiffData IFD="-1"/>'), "describe pages that it does not have"),
        (ome_xml(places='<TiffData FirstZ="7"/>'), "describe pages that it does not have"),
        (ome_xml(places='<TiffData IFD="0" FirstC="0" PlaneCount="3"/>'), "do not say which channel, z and time"),
        (ome_xml(places='<TiffData IFD="0"/>' * 5), "do not say which channel, z and time"),
        (ome_xml().replace("<Pixels", "<Pixels" + "x"), "cannot be read as an OME-TIFF"),
        (ome_xml().replace("</Image>", ""), "cannot be read as an OME-TIFF: mismatched tag"),
        (ome_xml().replace("<Image", "<Image/><Image").replace("Pixels", "Nothing"), "has no OME metadata"),
        (
            ome_xml(places='<TiffData IFD="0" PlaneCount="5"><UUID FileName="C04_s1.ome.tiff">urn:2</UUID></TiffData>'),
            "pages are in another file, C04_s1.ome.tiff. Sets of several OME-TIFFs are not read",
        ),
        (ome_xml(before='<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', names=["&b;"] * 5), "entities"),
        (ome_xml(before='<!DOCTYPE OME SYSTEM "file:///etc/passwd">'), "define a document type or entities"),
    ],
)
def test_bad_metadata_are_refused_and_the_file_is_named(tmp_path, xml, message):
    write_xml(tmp_path / "P/B02_s1.ome.tiff", xml, 5)
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path)
    assert "B02_s1.ome.tiff" in str(error.value)


def test_a_file_of_several_images_is_refused(tmp_path):
    image = ome_xml().partition("<Image")[2].partition("</Image>")[0]
    write_xml(tmp_path / "P/B02_s1.ome.tiff", ome_xml().replace("</OME>", f"<Image{image}</Image></OME>"), 10)
    with pytest.raises(ValueError, match="has 2 images; each field must be in a file of its own"):
        read(tmp_path)


def test_metadata_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cloome_kedro.imaging.ome_xml._LARGEST", 300)
    write_xml(tmp_path / "P/B02_s1.ome.tiff", ome_xml(), 5)
    with pytest.raises(ValueError, match=r"its OME metadata have [\d,]+ characters, at most 300 are read"):
        read(tmp_path)


def test_a_renamed_file_is_read(tmp_path):
    for place in ('<UUID FileName="old.ome.tiff">urn:1</UUID>', '<UUID FileName="B02_s1.ome.tiff">urn:1</UUID>', ""):
        xml = ome_xml(places=f'<TiffData IFD="0" PlaneCount="5">{place}</TiffData>')
        write_xml(tmp_path / "P/B02_s1.ome.tiff", xml, 5)
        assert read(tmp_path)["channel"].tolist() == STAINS


def test_a_damaged_first_file_does_not_stop_its_plate(tmp_path, caplog):
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,C1,CCO,a\nB02,C2,CCN,b\n")
    first = write(tmp_path / "pages/P/A01_s1.ome.tiff")
    first.write_bytes(first.read_bytes()[:200])
    write(tmp_path / "pages/P/B02_s1.ome.tiff")
    source = Source("mine", "ome_tiff", Platemap("map.csv"), folder="pages", bit_depth=12)
    index, _, rejected = index_screen(tmp_path, "mine", [source])
    assert "1 OME-TIFFs are passed over" in caplog.text
    store = PlateStore(tmp_path)
    fields, rejected = ingest_plates(store, index, rejected, Storage(), max_rejected_fraction=0.5, n_jobs=1)
    assert fields["field_id"].tolist() == ["mine/P/B02/1"]
    assert "A01_s1.ome.tiff, page 4, is unreadable or truncated" in rejected["reason"][0]


def test_pages_that_the_metadata_do_not_explain_are_refused(tmp_path):
    path = write(tmp_path / "P/B02_s1.ome.tiff")
    with tifffile.TiffFile(path, mode="r+b") as file:
        tag = file.pages[0].tags["ImageDescription"]
        tag.overwrite(tag.value.replace('SizeZ="1"', 'SizeZ="2"'))
    with pytest.raises(ValueError, match=r"has 5 pages.* 5 channels, 2 ") as error:
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

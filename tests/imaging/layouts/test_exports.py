"""One screen in each layout gives the same fields."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import INTENSITIES, Storage
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.imaging.layouts.recognition import recognise_layouts
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.readers import read_image
from cloome_kedro.imaging.store import PlateStore
from exported_screens import as_imagexpress, as_named_files, as_npz, as_opera, as_zips, images_of, relative_names
from small_screens import make_source, write_load_data_screen


def scale(field):
    return to_uint8(field, INTENSITIES["published_training"])[0]


EXPORTS = {
    "imagexpress": as_imagexpress,
    "zip_per_channel": as_zips,
    "npz": lambda folder, images: as_npz(folder, images, scale),
    "pattern": as_named_files,
    "opera_phenix": as_opera,
}


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A folder with one screen in each layout, the settings of its sources, and what LoadData tables give."""
    folder = tmp_path_factory.mktemp("twins")
    described = write_load_data_screen(folder, plates=2, wells=3, sites=2)
    images = images_of(folder)
    sources = {name: described | export(folder, images) for name, export in EXPORTS.items()}
    return folder, sources, ingest(folder, described, folder / "store")


def ingest(folder, description, store_folder):
    store = PlateStore(store_folder)
    store.folder.mkdir()
    index, compounds, rejected = index_screen(folder, "mine", [make_source(description)])
    schemas.field_index.validate(index)
    storage = Storage(intensity="published_training", crop=20, size=(10, 5))
    fields, rejected = ingest_plates(store, index, rejected, storage, n_jobs=1)
    assert rejected.empty
    schemas.fields.validate(fields)
    return store, fields, compounds


@pytest.mark.parametrize("layout", EXPORTS)
def test_stored_fields_are_those_of_load_data_tables(twins, tmp_path, layout):
    """Images of npz files are scaled already: scaling them again would change them."""
    folder, sources, (expected_store, expected, expected_compounds) = twins
    store, fields, compounds = ingest(folder, sources[layout], tmp_path / "store")
    pd.testing.assert_frame_equal(compounds, expected_compounds)
    raw = (
        [] if layout != "npz" else [f"{name}_{channel}" for name in ("threshold", "saturated") for channel in CHANNELS]
    )
    pd.testing.assert_frame_equal(fields.drop(columns=raw), expected.drop(columns=raw))
    assert len(fields) == 2 * 3 * 2
    for plate in ("P1", "P2"):
        np.testing.assert_array_equal(np.load(store.images(plate)), np.load(expected_store.images(plate)))


@pytest.mark.parametrize("layout", sorted(set(EXPORTS) - {"pattern"}))
def test_each_layout_is_recognised(twins, layout):
    folder, sources, _ = twins
    names = list(relative_names(folder / sources[layout]["folder"]))
    (recognised,) = recognise_layouts(names)
    assert recognised.layout == layout
    assert recognised.files == len(names)
    assert recognised.example in names
    known = {key: value for key, value in sources[layout].items() if key in recognised.settings}
    assert recognised.settings == known


def test_the_names_of_a_private_scheme_are_not_recognised(twins):
    folder, sources, _ = twins
    assert recognise_layouts(relative_names(folder / sources["pattern"]["folder"])) == []


def test_plates_are_ingested_again_if_an_archive_has_other_images(twins, tmp_path):
    """The checksum of a member counts, not the time of the archive."""
    folder, _, _ = twins
    images = images_of(folder)
    description = write_load_data_screen(tmp_path / "other", plates=2, wells=3, sites=2)
    description |= as_zips(tmp_path / "other", images)
    store, *_ = ingest(tmp_path / "other", description, tmp_path / "plates")
    digests = [store.digest(plate) for plate in ("P1", "P2")]
    changed = dict(images)
    changed["P2", "A01", 1, "DNA"] = images["P2", "B01", 1, "DNA"]
    (tmp_path / "other/zips").rename(tmp_path / "other/before")
    as_zips(tmp_path / "other", changed)
    index, _, rejected = index_screen(tmp_path / "other", "mine", [make_source(description)])
    storage = Storage(intensity="published_training", crop=20, size=(10, 5))
    ingest_plates(store, index, rejected, storage, n_jobs=1)
    assert store.digest("P1") == digests[0]
    assert store.digest("P2") != digests[1]
    stored = np.load(store.images("P2"))[:, CHANNELS.index("DNA")]
    np.testing.assert_array_equal(stored[0], stored[2])


# ---- real fields


@pytest.fixture(scope="module")
def lincs(cloome_data, tmp_path_factory):
    """Two fields of the LINCS screen in each layout of single images; ``(plate, well, site, channel) -> pixels``."""
    folder = tmp_path_factory.mktemp("lincs")
    images = {}
    for well, place in (("A13", "r01c13f01"), ("P13", "r16c13f05")):
        for number, channel in enumerate(["DNA", "ER", "RNA", "AGP", "Mito"], 1):
            name = f"lincs_fields/SQ00015198/{place}p01-ch{number}sk1fk1fl1.png"
            images["SQ00015198", well, int(place[-1]), channel] = cloome_data / name
    (folder / "map.csv").write_text(
        "well_position,broad_sample,smiles,pert_iname\nA13,BRD-1,CCO,orantinib\nP13,BRD-2,CCN,lonafarnib\n"
    )
    return folder, images


@pytest.mark.parametrize("export", [as_imagexpress, as_zips, as_named_files, as_opera])
def test_real_fields_are_found_by_their_names(lincs, export):
    folder, images = lincs
    description = {"name": "lincs", "bit_depth": 8, "platemap": {"platemaps": "map.csv"}} | export(folder, images)
    index, _, rejected = index_screen(folder, "lincs", [make_source(description)])
    assert rejected.empty
    assert index["field_id"].tolist() == ["lincs/SQ00015198/A13/1", "lincs/SQ00015198/P13/5"]
    for row in index.itertuples():
        for channel in CHANNELS:
            read = read_image(getattr(row, f"path_{channel}"))
            np.testing.assert_array_equal(read, read_image(str(images[row.plate, row.well, row.site, channel])))
            assert read.shape == (1080, 1080)


def test_a_real_field_as_the_published_preprocessing_stores_it(cloome_data, tmp_path):
    """One field of JUMP as an npz gives the pixels that ingestion stores of its raw images."""
    paths = sorted((cloome_data / "jump_fields/DMSO").glob("*.tiff"))[:5]
    raw = {
        ("P", "A01", 1, channel): path for channel, path in zip(["Mito", "AGP", "RNA", "ER", "DNA"], paths, strict=True)
    }
    (tmp_path / "map.csv").write_text("well_position,broad_sample,smiles,pert_iname\nA01,DMSO,CS(C)=O,DMSO\n")
    stored = []
    for export in (as_opera, EXPORTS["npz"]):
        description = {"name": "jump", "platemap": {"platemaps": "map.csv"}} | export(tmp_path, raw)
        store = PlateStore(tmp_path / f"store_{description['layout']}")
        store.folder.mkdir()
        index, _, rejected = index_screen(tmp_path, "jump", [make_source(description)])
        ingest_plates(store, index, rejected, Storage(size=(540, 540)), n_jobs=1)
        stored.append(np.load(store.images("P")))
    assert stored[0].shape == (1, 5, 540, 540)
    np.testing.assert_array_equal(*stored)
    assert tifffile.imread(paths[0]).dtype == np.uint16

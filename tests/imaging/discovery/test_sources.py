"""Sources of images in folders of each layout."""

import shutil

import pytest

from cloome_kedro.imaging import readers
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.discovery.content import ORDERS
from cloome_kedro.imaging.discovery.sources import (
    find_layouts,
    is_image,
    list_names,
    look_at_source,
    source_settings,
)
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.registry import Registry
from drawn_cells import draw_field, write_drawn_screen
from exported_screens import as_imagexpress, as_npz, as_zips, images_of
from ome_zarr_plates import write_ome_zarr
from small_screens import write_load_data_screen

JUMP, BRAY = ORDERS.values()


def only_source(folder, name="mine"):
    ((folder, recognised),) = find_layouts(folder, list_names(folder))
    return look_at_source(name, folder, recognised)


NAMES = ("a.tif", "b/A.TIFF", "a.png", "a.npz", "P1-DNA.zip", "a.czi", "a.nd2", "a.lif", "P1.ome.zarr/B/02/0/.zattrs")


def test_images_are_what_a_reader_reads(monkeypatch):
    assert all(map(is_image, NAMES))
    assert not any(map(is_image, ("map.csv", "tif", "a.tif.txt", "a.ics", "P1.zarr.json")))
    monkeypatch.setattr(readers, "READERS", Registry("reader"))
    readers.READERS.add("ics", "of.a.user:READER", pattern=r"\.ics$")
    assert is_image("a.ICS")
    assert [name for name in NAMES if is_image(name)] == ["P1-DNA.zip"], "whatever is in it"


def test_an_opera_export(tmp_path):
    write_drawn_screen(tmp_path, JUMP, sites=2)
    source = only_source(tmp_path)
    assert source.recognised.layout == "opera_phenix"
    assert (len(source.wells), source.fields, source.shape) == (8, 16, (128, 128))
    assert source_settings(source, None) == {
        "layout": "opera_phenix",
        "channels": {str(i): channel for i, channel in enumerate(JUMP, 1)},
        "bit_depth": 12,
    }
    assert source.diameter == pytest.approx(14, rel=0.25)
    assert not source.one_plate


def test_folders_of_one_well_are_probably_no_plates(tmp_path):
    write_drawn_screen(tmp_path, JUMP, plates=("drug",))
    for path in sorted((tmp_path / "drug").iterdir()):
        (tmp_path / path.name[:6]).mkdir(exist_ok=True)
        shutil.move(path, tmp_path / path.name[:6])
    source = only_source(tmp_path)
    assert source.one_plate
    assert source_settings(source, "P")["plate"] == "P"


@pytest.mark.parametrize("export", [as_imagexpress, as_zips, as_npz], ids=["imagexpress", "zips", "npz"])
def test_other_exports(tmp_path, export):
    write_load_data_screen(tmp_path / "raw", compression=None)
    images = images_of(tmp_path / "raw")
    options = {"scale": lambda field: (field // 16).astype("uint8")} if export is as_npz else {}
    written = export(tmp_path, images, **options)
    source = only_source(tmp_path / written["folder"])
    settings = source_settings(source, None)
    assert settings["layout"] == written["layout"]
    assert (len(source.wells), source.fields, source.shape) == (8, 16, (24, 32))
    Source("mine", platemap=Platemap(""), **settings)  # the settings are those of a source


def test_tables_of_images(tmp_path):
    write_load_data_screen(tmp_path, plates=1)
    source = only_source(tmp_path)
    assert source_settings(source, None)["layout"] == "load_data_csv"
    assert source.channels.channels == {}, "the names of the channels are known"
    assert (source.fields, source.bit_depth) == (8, 12)


@pytest.mark.parametrize("labels", [CHANNELS, None], ids=["named", "numbered"])
def test_an_ome_zarr_plate(tmp_path, labels):
    import numpy as np

    order = CHANNELS if labels else BRAY
    drawn = [draw_field(seed) for seed in range(2)]
    fields = {(f"A0{i}", 1): np.stack([field[name] for name in order]) for i, field in enumerate(drawn, 1)}
    write_ome_zarr(tmp_path / "P1.ome.zarr", fields, labels=labels)
    assert not [name for name in list_names(tmp_path) if name.rsplit("/", 1)[1].isdecimal()], "no chunk is listed"
    source = only_source(tmp_path)
    assert source.recognised.layout == "ome_zarr"
    assert tuple(source.channels.channels.values()) == (() if labels else BRAY)
    assert (len(source.wells), source.shape) == (2, (128, 128))
    inside = only_source(tmp_path / "P1.ome.zarr")
    assert inside.wells.equals(source.wells)


def test_subfolders_with_different_layouts_are_sources(tmp_path):
    write_drawn_screen(tmp_path / "phenix", JUMP, plates=("P1",))
    write_load_data_screen(tmp_path / "tables", plates=1)
    found = find_layouts(tmp_path, list_names(tmp_path))
    assert [(path.name, layout.layout) for path, layout in found] == [
        ("phenix", "opera_phenix"), ("tables", "load_data_csv"),
    ]  # fmt: skip


def test_nothing_is_recognised(tmp_path):
    (tmp_path / "photo.tif").write_bytes(b"")
    assert find_layouts(tmp_path, list_names(tmp_path)) == []


def test_fields_that_cannot_be_read_are_told(tmp_path):
    write_drawn_screen(tmp_path, JUMP, plates=("P1",))
    (tmp_path / "P1/r02c02f01p01-ch3sk1fk1fl1.tiff").write_bytes(b"cut")
    source = only_source(tmp_path)
    (reason,) = source.unreadable
    assert reason.startswith("plate P1, well B02: ")
    for path in (tmp_path / "P1").iterdir():
        path.write_bytes(b"cut")
    with pytest.raises(ValueError, match="no field can be read; the first reason is: plate P1, well A01"):
        only_source(tmp_path)


def test_channels_that_the_user_gives(tmp_path):
    write_drawn_screen(tmp_path, JUMP, plates=("P1",))
    ((folder, recognised),) = find_layouts(tmp_path, list_names(tmp_path))
    given = {str(i): channel for i, channel in enumerate(BRAY, 1)}
    assert look_at_source("mine", folder, recognised, given).channels.channels == given
    with pytest.raises(ValueError, match="there is no channel 9 in the files; there are: 1, 2, 3, 4, 5"):
        look_at_source("mine", folder, recognised, {"9": "DNA"})
    with pytest.raises(ValueError, match="the channels lack Mito, ER, RNA, AGP"):
        look_at_source("mine", folder, recognised, {"1": "DNA"})

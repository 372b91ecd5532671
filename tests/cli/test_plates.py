"""Folders of new plates are recognised by the names of their files."""

import logging

import pytest

from cloome_kedro.cli.plates import index_folders
from exported_screens import as_imagexpress, as_npz, as_zips, images_of
from small_screens import write_load_data_screen


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    write_load_data_screen(folder, plates=1, wells=2, sites=1)
    return folder, images_of(folder)


@pytest.mark.parametrize(
    "export", [as_imagexpress, as_zips, lambda *given: as_npz(*given, lambda field: field.astype("u1"))]
)
def test_the_layout_and_its_settings_are_recognised(screen, tmp_path, export, caplog):
    settings = export(tmp_path, screen[1])
    with caplog.at_level(logging.WARNING):
        index, rejected = index_folders([tmp_path / settings["folder"]], "mine", None, 12, ["A01"])
    assert rejected.empty
    assert index["field_id"].tolist() == ["mine/P1/A01/1", "mine/P1/B01/1"]
    assert index["control"].tolist() == [True, False]
    assert set(index["bit_depth"]) == {settings.get("bit_depth", 12)}
    assert ("by the order of the publication, w1 is DNA, w2 is ER, w3 is RNA" in caplog.text) == (
        export is as_imagexpress
    )


def test_a_layout_that_is_named_comes_first(screen, tmp_path):
    folder, images = screen
    as_imagexpress(tmp_path, images)
    with pytest.raises(FileNotFoundError, match="there is no LoadData table"):
        index_folders([tmp_path / "export"], "mine", "load_data_csv", 12, [])
    with pytest.raises(ValueError, match="there is no layout 'other'"):
        index_folders([tmp_path / "export"], "mine", "other", 12, [])
    index, _ = index_folders([folder], "mine", None, 12, [])
    assert len(index) == 2, "LoadData tables"

"""Layouts are recognised by the names of files."""

import pytest

from cloome_kedro.imaging.layouts import LAYOUTS
from cloome_kedro.imaging.layouts.recognition import Recognised, recognise_layouts
from registries import restored


def test_a_folder_that_nothing_explains():
    assert recognise_layouts([]) == []
    assert recognise_layouts(["README.md", "images/a.tiff"]) == []


def test_a_layout_of_ones_own_is_asked(monkeypatch):
    with restored(LAYOUTS) as registry:

        @registry.register("own")
        def read(folder, source): ...

        own = Recognised("own", 3, {"plate": "P"}, "a.xyz")
        monkeypatch.setitem(globals(), "recognise", lambda names: own if "a.xyz" in names else None)
        assert recognise_layouts(["a.xyz", "b.xyz"]) == [own]
        assert recognise_layouts(["b.xyz"]) == []


def test_tables_explain_the_images_too():
    """Images of a microscope with LoadData tables are read by the tables."""
    images = [f"images/P/r01c01f01p01-ch{number}sk1fk1fl1.tiff" for number in range(1, 6)]
    first, second = recognise_layouts([*images, "load_data_csv/P/load_data.csv"])
    assert (first.layout, first.files, first.settings) == ("load_data_csv", 6, {})
    assert first.example == "load_data_csv/P/load_data.csv"
    assert (second.layout, second.files, second.example) == ("opera_phenix", 5, images[0])


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        (["a/load_data.csv.gz"], {}),
        (["a/load_data.parquet", "a/load_data_with_illum.parquet"], {}),
        (
            ["a/load_data_with_illum.parquet", "b/load_data_with_illum.parquet"],
            {"files": "**/load_data_with_illum.parquet"},
        ),
    ],
)
def test_names_of_tables(names, settings):
    (recognised,) = recognise_layouts(names)
    assert recognised.settings == settings
    assert recognised.example == names[0]


def test_planes_and_times_are_proposed():
    names = [f"P/r01c01f01p0{z}-ch1sk{time}fk1fl1.tiff" for z in (1, 2) for time in (3, 4)]
    (recognised,) = recognise_layouts(names)
    assert recognised.settings == {"z": "max", "time": 3}
    assert recognised.notes == (
        "2 planes of z stacks (1, 2): the maximum over them is proposed",
        "2 time points (3, 4): the first is proposed",
    )

"""What all layouts have in common, and layouts of a user's own."""

import pandas as pd
import pytest

from cloome_kedro.imaging.layouts import LAYOUTS, read_layout
from cloome_kedro.imaging.sources import Platemap, Source
from registries import restored

SOURCE = Source("mine", "own", Platemap("map.csv"))
IMAGE = {"plate": "P", "well": "A01", "site": 1, "channel": "DNA", "path": "a.tiff"}


@pytest.fixture
def registry():
    """The registry of layouts, to which a test can add its own."""
    with restored(LAYOUTS) as registry:
        yield registry


def test_an_unknown_layout_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no layout 'xyz'; the nearest are: load_data_csv, opera_phenix, imagexpress"):
        read_layout("xyz", tmp_path, SOURCE)
    with pytest.raises(ValueError, match=r"no layout 'ometiff'; the nearest are: ome_tiff$"):
        read_layout("ometiff", tmp_path, SOURCE)


def test_a_reader_of_ones_own_gets_the_folder_and_its_source(registry, tmp_path):
    asked = []

    @registry.register("own")
    def read(folder, source):
        asked.append((folder, source))
        return pd.DataFrame([{"size": 7, **IMAGE}])

    images = read_layout("own", tmp_path, SOURCE)
    assert asked == [(tmp_path, SOURCE)]
    assert list(images) == ["plate", "well", "site", "channel", "path", "plane", "z", "time", "reason"]
    assert images["plane"].isna().all(), "without a page, a file is one image"
    assert images["plane"].dtype == "Int64"


def test_pages_are_whole_numbers_or_missing(registry, tmp_path):
    registry.add("own", lambda folder, source: pd.DataFrame([{"plane": 2, **IMAGE}, {"plane": None, **IMAGE}]))
    planes = read_layout("own", tmp_path, SOURCE)["plane"]
    assert planes.tolist() == [2, pd.NA]
    assert planes.dtype == "Int64"


def test_columns_that_a_reader_leaves_out_are_named(registry, tmp_path):
    registry.add("own", lambda folder, source: pd.DataFrame({"plate": ["P"], "path": "a", "well": "A01"}))
    with pytest.raises(ValueError, match="the layout own returns no column site, channel"):
        read_layout("own", tmp_path, SOURCE)

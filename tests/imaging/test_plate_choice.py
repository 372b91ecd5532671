"""Which plates of a source are read."""

import pandas as pd
import pytest

from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.plate_choice import expand_files, find_files, keep_plates
from cloome_kedro.imaging.sources import Platemap, PlateTable, Source
from small_screens import make_source, write_load_data_screen


def source(**settings) -> Source:
    return Source("mine", "load_data_csv", Platemap("map.csv"), **settings)


@pytest.fixture
def table(tmp_path):
    rows = [
        ("s1", "b1", "P1", "COMPOUND"),
        ("s1", "b2", "P[2]", "COMPOUND"),
        ("s1", "b2", "P3", "DMSO"),
        ("s2", "b1", "P4", "COMPOUND"),
    ]
    columns = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_PlateType"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "plate.csv.gz", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        ({"files": "tables/*.csv"}, "tables/*.csv"),
        ({"files": "tables/{plate}/a.csv"}, "tables/*/a.csv"),
        ({"files": "tables/{plate}/a.csv", "plates": ("P1", "Q*")}, "tables/P1/a.csv\ntables/Q*/a.csv"),
        ({"plates": ("P1",)}, None),
    ],
)
def test_names_of_plates_in_the_pattern(tmp_path, settings, files):
    assert expand_files(source(**settings), tmp_path).files == files


def test_a_table_chooses_plates_and_fills_the_pattern(table):
    where = {"Metadata_Source": ("s1",), "Metadata_PlateType": ("COMPOUND", "POSCON8")}
    chosen = expand_files(
        source(files="{Metadata_Batch}/{Metadata_Plate}.csv", plate_table=PlateTable("plate.csv.gz", where)), table
    )
    assert chosen.files == "b1/P1.csv\nb2/P[[]2].csv"
    images = pd.DataFrame({"plate": ["P1", "P[2]", "P3", "P2"]})
    assert keep_plates(images, chosen)["plate"].tolist() == ["P1", "P[2]"]
    first = source(files="{plate}.csv", plates=("P[!1]*",), plate_table=PlateTable("plate.csv.gz", first=1))
    assert expand_files(first, table).files == "P[[]2].csv"


def test_mistakes_are_named(table):
    with pytest.raises(ValueError, match=r"source mine: .*plate.csv.gz has no plate with Metadata_Source s3; correct"):
        expand_files(source(plate_table=PlateTable("plate.csv.gz", {"Metadata_Source": ("s3",)})), table)
    with pytest.raises(ValueError, match=r"plate.csv.gz has no column Kind"):
        expand_files(source(plate_table=PlateTable("plate.csv.gz", {"Kind": ("a",)})), table)
    with pytest.raises(ValueError, match=r"`files` has \{Metadata_Batch\}, which is a column of a table of plates"):
        expand_files(source(files="{Metadata_Batch}/a.csv"), table)
    with pytest.raises(ValueError, match=r"`plates` names Q1, but the plates of its files are P1, P2"):
        keep_plates(pd.DataFrame({"plate": ["P1", "P2"]}), source(plates=("Q1",)))
    with pytest.raises(ValueError, match="first must be at least 1"):
        PlateTable("plate.csv.gz", first=0)


def test_a_plate_that_is_not_there_is_told(caplog):
    images = pd.DataFrame({"plate": ["P1", "P2"]})
    assert keep_plates(images, source(plates=("P1", "Q1", "Q2*")))["plate"].tolist() == ["P1"]
    assert "source mine: its files have no plate Q1, Q2*; correct `plates`" in caplog.text


def test_several_patterns_in_one_text(tmp_path):
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_files(tmp_path, "b.*\n*.csv")] == ["b.csv", "a.csv"]


def test_a_screen_of_the_named_plates(tmp_path):
    settings = write_load_data_screen(tmp_path, plates=3, wells=2, sites=1)
    index, _, rejected = index_screen(tmp_path, "mine", [make_source({**settings, "plates": ("P[13]",)})])
    assert index["plate"].unique().tolist() == ["P1", "P3"]
    assert rejected.empty
    files = {"files": "load_data_csv/{plate}/load_data.csv", "plates": ("P2",)}
    (tmp_path / "load_data_csv/P3/load_data.csv").write_text("not read\n")
    index, _, _ = index_screen(tmp_path, "mine", [make_source({**settings, **files})])
    assert index["plate"].unique().tolist() == ["P2"]

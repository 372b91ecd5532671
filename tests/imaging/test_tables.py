import gzip

import pytest

from cloome_kedro.imaging.tables import read_table


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t")])
def test_cells_stay_text(tmp_path, name, separator):
    (tmp_path / name).write_text(f"plate{separator}name\n00123{separator}NA\n7\n")
    table = read_table(tmp_path / name, ["plate"])
    assert table.to_dict("list") == {"plate": ["00123", "7"], "name": ["NA", ""]}


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no table .*nowhere.csv; put it there"):
        read_table(tmp_path / "nowhere.csv")


def test_a_missing_column_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"a.csv has no column well_position; its columns are x, y\. Add the column"):
        read_table(tmp_path / "a.csv", ["x", "well_position"])


@pytest.mark.parametrize("content", ["", "a,b\n1,2,3,4\n"])
def test_a_malformed_table_is_named(tmp_path, content):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n" * bool(content) + content)
    with pytest.raises(ValueError, match=r"a.csv cannot be read as a table"):
        read_table(tmp_path / "a.csv")


def test_lines_longer_than_the_header_are_refused(tmp_path):
    """Read as they are, every cell would be one column off."""
    (tmp_path / "a.csv").write_text("well_position,broad_sample\nA01,C1,0.1\nA02,C2,0.1\n")
    with pytest.raises(ValueError, match=r"a.csv cannot be read as a table: its lines have more cells"):
        read_table(tmp_path / "a.csv")


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-12])
    (tmp_path / "b.csv.gz").write_bytes(b"no archive")
    for name in ("a.csv.gz", "b.csv.gz"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read as a table"):
            read_table(tmp_path / name)


def test_another_kind_of_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a.xlsx is not a table; its suffix must be one of .csv, .tsv, .txt"):
        read_table(tmp_path / "a.xlsx")

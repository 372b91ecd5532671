"""Replacing files and folders: all or nothing."""

import pytest

from cloome_kedro.atomic import replace_file, replace_folder


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "table.csv"

    def write(text, error=None):
        with replace_file(path) as part:
            part.write_text(text)
            assert part.suffix == ".csv"
            if error:
                raise error

    write("old")
    with pytest.raises(OSError, match="full"):
        write("half", OSError("disk full"))
    assert path.read_text() == "old"
    assert [left.name for left in path.parent.iterdir()] == ["table.csv"]
    write("new")
    assert path.read_text() == "new"
    assert [left.name for left in path.parent.iterdir()] == ["table.csv"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "checkpoint"

    def write(text, error=None):
        with replace_folder(folder) as part:
            (part / "weights").write_text(text)
            if error:
                raise error

    write("old")
    with pytest.raises(OSError, match="full"):
        write("half", OSError("disk full"))
    assert (folder / "weights").read_text() == "old"
    assert [left.name for left in folder.parent.iterdir()] == ["checkpoint"]
    write("new")
    assert (folder / "weights").read_text() == "new"
    assert [left.name for left in folder.parent.iterdir()] == ["checkpoint"]

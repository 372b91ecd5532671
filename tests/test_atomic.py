"""Replacing files and folders: all or nothing."""

import os
import subprocess
import sys

import pytest

from cloome_kedro.atomic import part_of, remove_parts, replace_file, replace_folder


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


def test_what_dead_processes_left_is_removed_and_what_others_write_stays(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "dead": f".a[1].{dead.pid}.part.csv",
        "living": f".a[1].{os.getppid()}.part.csv",
        "another file's": f".a1.{dead.pid}.part.csv",
        "another kind's": f".a[1].{dead.pid}.part.txt",
        "no process's": ".a[1].old.part.csv",
    }
    for name in names.values():
        (tmp_path / name).touch()
    with replace_file(tmp_path / "a[1].csv") as part:
        assert str(os.getpid()) in part.name
        part.touch()
    assert {path.name for path in tmp_path.iterdir()} == {*names.values(), "a[1].csv"} - {names["dead"]}


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


def test_remains_are_removed_of_the_one_file_only(tmp_path):
    """A file whose name begins with another's name and a dot is a file of its own."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "of the dead": f".P1.{dead.pid}.part.npy",
        "of the living": f".P1.{os.getppid()}.part.npy",
        "of another file": f".P1.2.{dead.pid}.part.npy",
        "of no process": ".P1.old.part.npy",
    }
    for name in names.values():
        (tmp_path / name).touch()

    def remaining():
        return {key for key, name in names.items() if (tmp_path / name).exists()}

    remove_parts(tmp_path / "P1.npy")
    assert remaining() == {"of the living", "of another file", "of no process"}
    remove_parts(tmp_path / "P1.npy", include_running=True)
    assert remaining() == {"of another file", "of no process"}


def test_a_part_is_beside_its_file_and_has_its_suffix(tmp_path):
    assert part_of(tmp_path / "P1.2.npy") == tmp_path / f".P1.2.{os.getpid()}.part.npy"

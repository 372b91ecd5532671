"""Replacing files and folders: all or nothing."""

import os
import re
import socket
import subprocess
import sys
import time

import pytest

from cloome_kedro import atomic
from cloome_kedro.atomic import is_part, is_running, part_of, remove_parts, replace_file, replace_folder


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


@pytest.fixture
def remaining(tmp_path):
    """Make temporary files of `P[1].npy` and of other files; return a function that names those that still exist."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "of an ended process": f".P[1].{ended.pid}.part.npy",
        "of a running process": f".P[1].{os.getppid()}.part.npy",
        "of a file that the name matches as a pattern": f".P1.{ended.pid}.part.npy",
        "of a file with a longer name": f".P[1].2.{ended.pid}.part.npy",
        "of a file with another suffix": f".P[1].{ended.pid}.part.txt",
        "of no process": ".P[1].old.part.npy",
    }
    for name in names.values():
        (tmp_path / name).touch()
    return lambda: {kind for kind, name in names.items() if (tmp_path / name).exists()}


def test_replacing_a_file_removes_its_temporary_files_of_ended_processes(tmp_path, remaining):
    before = remaining()
    assert len(before) == 6
    with replace_file(tmp_path / "P[1].npy") as part:
        assert str(os.getpid()) in part.name
        part.touch()
    assert remaining() == before - {"of an ended process"}
    assert (tmp_path / "P[1].npy").exists()
    assert not part.exists()


def test_temporary_files_of_running_processes_are_removed_on_request(tmp_path, remaining):
    before = remaining()
    remove_parts(tmp_path / "P[1].npy")
    assert remaining() == before - {"of an ended process"}
    remove_parts(tmp_path / "P[1].npy", include_running=True)
    assert remaining() == before - {"of an ended process", "of a running process"}


def test_a_part_is_beside_its_file_and_has_its_suffix(tmp_path):
    part = part_of(tmp_path / "P1.2.npy")
    assert part.parent == tmp_path
    assert re.fullmatch(rf"\.P1\.2\.{os.getpid()}-[0-9a-f]{{8}}\.part\.npy", part.name)
    assert is_part(part)
    assert not is_part(tmp_path / "P1.2.npy")


def test_parts_of_other_machines_are_kept_for_a_day(tmp_path, monkeypatch):
    """Machines that share a folder have processes with the same numbers."""
    path = tmp_path / "P1.npy"
    own = part_of(path)
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    parts = [part_of(path), part_of(path).with_name(part_of(path).name.replace(str(os.getpid()), str(ended.pid)))]
    monkeypatch.undo()
    assert own not in parts
    for part in parts:
        part.touch()
    remove_parts(path)
    assert all(part.exists() for part in parts)
    os.utime(parts[1], (time.time() - 90_000,) * 2)
    remove_parts(path)
    assert [part.exists() for part in parts] == [True, False]
    remove_parts(path, include_running=True)
    assert list(tmp_path.iterdir()) == []


def write_file(path):
    with replace_file(path) as part:
        part.write_text("new")


def write_folder(path):
    with replace_folder(path) as part:
        (part / "0").mkdir()
        (part / "0" / "vectors.npy").write_text("new")
        (part / "methods.json").write_text("new")


@pytest.mark.parametrize(("write", "files"), [(write_file, 1), (write_folder, 2)])
def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch, write, files):
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", lambda *paths: events.append("rename") or replace(*paths))
    write(tmp_path / "result")
    renamed = events.index("rename")
    assert events[:renamed].count("file") == files
    assert events[renamed:] == ["rename", "folder"]


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_what_cannot_be_written_to_the_disk_replaces_nothing(tmp_path, monkeypatch, write):
    write(tmp_path / "result")
    before = sorted(tmp_path.rglob("*"))
    text = {path: path.read_text() for path in before if path.is_file()}

    def full(path, flags):
        raise OSError("no space left on device")

    monkeypatch.setattr(atomic, "_fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / "result")
    assert sorted(tmp_path.rglob("*")) == before
    assert {path: path.read_text() for path in text} == text


def test_processes_of_this_machine_are_seen():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_running(os.getpid())
    assert is_running(1)
    assert not is_running(ended.pid)

"""The folder of downloaded files: bounded, shared by processes, never with an incomplete file."""

import os
import subprocess
import sys

import pytest

from cloome_kedro.atomic import part_of
from cloome_kedro.imaging.remote.cache import FileCache

SIZE = 100


def content(key: str) -> bytes:
    return key.encode().ljust(SIZE, b".")


@pytest.fixture
def downloads() -> list[str]:
    return []


def get(cache: FileCache, key: str, downloads: list[str], size: int = SIZE):
    def download(path):
        downloads.append(key)
        path.write_bytes(content(key))

    return cache.get(key, f"{key}.tif", size, download)


def test_a_file_is_downloaded_once(tmp_path, downloads):
    cache = FileCache(tmp_path, 10 * SIZE)
    first, second = get(cache, "a", downloads), get(cache, "a", downloads)
    assert first == second
    assert first.name.endswith("-a.tif")
    assert first.read_bytes() == content("a")
    assert downloads == ["a"]
    assert get(FileCache(tmp_path, 10 * SIZE), "a", downloads) == first, "another process finds it, too"


def test_the_files_that_were_not_used_for_the_longest_time_are_removed(tmp_path, downloads):
    cache = FileCache(tmp_path, 10 * SIZE)
    paths = {key: get(cache, key, downloads) for key in "abcdefghij"}
    for age, key in enumerate("jihgfedcba"):  # a was used last
        os.utime(paths[key], (1e9 + age, 1e9 + age))
    get(cache, "a", downloads)
    get(cache, "k", downloads)
    # the new file and 90 % of the limit
    assert cache.total() <= 0.9 * 10 * SIZE + SIZE
    assert not paths["j"].exists()
    assert paths["a"].exists()
    assert paths["b"].exists()
    assert get(cache, "j", downloads).read_bytes() == content("j")
    assert downloads.count("j") == 2


def test_an_incomplete_file_is_never_used(tmp_path, downloads):
    cache = FileCache(tmp_path, 10 * SIZE)

    def interrupted(path):
        path.write_bytes(b"half")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        cache.get("a", "a.tif", SIZE, interrupted)
    with pytest.raises(OSError, match=r"4 of 100 bytes of a.tif were downloaded"):
        cache.get("a", "a.tif", SIZE, lambda path: path.write_bytes(b"half"))
    assert cache.total() == 0
    assert (tmp_path / "size").read_text() == "0", "no space is lost"
    path = get(cache, "a", downloads)
    path.write_bytes(b"cut")
    assert get(cache, "a", downloads).read_bytes() == content("a"), "a file of another size is downloaded again"


def test_parts_of_killed_processes_are_removed(tmp_path, downloads):
    cache = FileCache(tmp_path, 2 * SIZE)
    path = get(cache, "a", downloads)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    part = path.with_name(part_of(path).name.replace(str(os.getpid()), str(dead.pid)))
    running = part_of(path)
    for name in (part, running):
        name.write_bytes(b"half")
    for key in "bcd":
        get(cache, key, downloads)
    assert not part.exists()
    assert running.exists()


def test_a_file_that_is_larger_than_the_cache_is_refused(tmp_path, downloads):
    with pytest.raises(ValueError, match=r"a.tif has 1e-07 GB, .* raise ingestion.remote.gigabytes"):
        get(FileCache(tmp_path, SIZE - 1), "a", downloads)
    assert downloads == []


PROCESS = """
import random, sys
from pathlib import Path
from cloome_kedro.imaging.remote.cache import FileCache
cache, rng = FileCache(Path(sys.argv[1]), 1000), random.Random(int(sys.argv[2]))
largest = 0
for _ in range(80):
    key = str(rng.randrange(30))
    path = cache.get(key, "a.tif", 100, lambda path: path.write_bytes(key.encode().ljust(100, b".")))
    try:
        assert path.read_bytes() == key.encode().ljust(100, b"."), key
    except FileNotFoundError:  # the other processes have used ten other files since
        pass
    largest = max(largest, cache.total())
print(largest)
"""


def test_several_processes_share_the_folder(tmp_path):
    runs = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(seed)], stdout=subprocess.PIPE)
        for seed in range(3)
    ]
    largest = [int(run.communicate()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert max(largest) <= 1000 + 2 * 100, "the limit, and what the two other processes download at this moment"
    assert 500 < FileCache(tmp_path, 1000).total() <= 1200

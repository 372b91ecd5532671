"""Fields are read by threads before they are needed: in order, at the same time, and only a few of them."""

import threading

import pytest

from cloome_kedro.imaging import remote
from cloome_kedro.imaging.remote import read_ahead

AHEAD = remote._READ_AHEAD


def groups(number, folder="/disk"):
    return [[f"{folder}/{i}.tif"] for i in range(number)]


@pytest.mark.parametrize("number", [0, 1, AHEAD, AHEAD + 1, 30])
def test_results_come_in_order(number):
    assert list(read_ahead(groups(number), lambda i: i * i)) == [i * i for i in range(number)]


def test_groups_are_read_at_the_same_time():
    together = threading.Barrier(AHEAD, timeout=30)  # breaks unless as many threads wait at it
    assert len(list(read_ahead(groups(2 * AHEAD), lambda i: together.wait()))) == 2 * AHEAD


def test_groups_are_prepared_in_the_thread_that_takes_the_results():
    def prepare(number):
        return number, threading.get_ident()

    results = read_ahead(groups(9), lambda prepared: (*prepared, threading.get_ident()), prepare)
    numbers, preparing, reading = zip(*results, strict=True)
    assert numbers == tuple(range(9))
    assert set(preparing) == {threading.get_ident()}
    assert threading.get_ident() not in reading


def test_few_groups_are_in_memory():
    begun = []
    results = read_ahead(groups(50), lambda i: begun.append(i) or i)
    for number in range(10):
        assert next(results) == number
        assert max(begun) <= number + AHEAD
    results.close()
    assert len(begun) < 10 + AHEAD + 1
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_an_error_comes_at_its_place():
    def read(number):
        if number == 3:
            raise OSError("disk")
        return number

    results = read_ahead(groups(9), read)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="disk"):
        next(results)


def test_files_on_a_server_are_there_before_they_are_read(monkeypatch):
    """Also downloads are limited, and a failed one is left to the function that reads."""
    there, lock, most = set(), threading.Lock(), []

    def download(path):
        with lock:
            most.append(len(there))
        if path.endswith("/5.tif"):
            raise OSError("no answer")
        there.add(path)

    monkeypatch.setattr(remote, "local_file", download)
    paths = groups(40, "s3://bucket")
    read = []
    for number, is_there in enumerate(read_ahead(paths, lambda i: paths[i][0] in there)):
        read.append(is_there)
        assert len(there) <= number + 1 + AHEAD + 2 * remote.get_remote().settings.threads
    assert read == [number != 5 for number in range(40)]

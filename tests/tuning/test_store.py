"""Where studies are kept."""

import sqlite3
import time

import pytest
import sqlalchemy

from cloome_kedro.tuning import store as store_module
from cloome_kedro.tuning.store import StudyStore


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return StudyStore(tmp_path_factory.mktemp("store") / "study")


def test_a_transaction_that_only_reads_keeps_others_from_writing_until_it_ends(store):
    engine = store.storage()._backend.engine
    with sqlite3.connect(store.folder / "study.db", timeout=0) as other:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("SELECT 1 FROM trials"))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")


def test_heartbeats_are_on_and_trials_that_miss_two_are_stale(store):
    backend = store.storage(7)._backend
    assert (backend.heartbeat_interval, backend.grace_period) == (7, 14)


def test_a_password_is_not_told():
    store = StudyStore("unused", "postgresql://me:secret@host/db")
    assert store.database.count("secret") == 1
    assert store.safe_url == "postgresql://me:***@host/db"


@pytest.mark.parametrize(
    ("url", "why"),
    [("study.db", "URL"), ("sqlte:///study.db", "sqlte"), ("mssql+pyodbc://me:secret@host/db", "pyodbc")],
)
def test_a_database_that_cannot_be_is_refused_by_the_name_of_its_setting(tmp_path, url, why):
    with pytest.raises(ValueError, match=rf"study_storage: .*{why}.*driver is installed") as refused:
        StudyStore(tmp_path / "study", url).storage()
    assert "secret" not in str(refused.value)
    assert not (tmp_path / "study").exists()


def test_each_trial_has_a_folder_of_its_own_which_a_copy_finds(store):
    folders = {
        store.trial_folder(study, number, point)
        for study in ("one", "..")
        for number in (1, 2)
        for point in ({"a": 1}, {"a": "1"})
    }
    assert len(folders) == 8
    assert store.trial_folder("one", 1, {"a": 1}) in folders
    assert {folder.parent for folder in folders} == {store.trials("one"), store.trials("..")}
    assert all(folder.resolve().is_relative_to((store.folder / "trials").resolve()) for folder in folders)


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
@pytest.mark.parametrize("tables", [True, False])
def test_a_database_that_another_program_keeps_locked_is_named_soon(tmp_path, monkeypatch, lock, tables):
    monkeypatch.setattr(store_module, "_OPEN_SECONDS", 0.2)
    store, begin = StudyStore(tmp_path), time.monotonic()
    if tables:
        store.storage()
    with sqlite3.connect(tmp_path / "study.db", isolation_level=None) as other:
        other.execute("CREATE TABLE mine (x)")
        other.execute(f"BEGIN {lock}")
        with pytest.raises(RuntimeError, match=r"another program has kept .*study\.db locked for 0\.2 seconds: close"):
            store.storage()
    assert time.monotonic() - begin < 20
    other.close()
    store.storage()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"number,state,value\n" * 50, "is not a database of studies, or is damaged"),
        (b"SQLite format 3\x00" + b"\x07" * 2000, "is not a database of studies, or is damaged"),
        (None, "cannot be used"),
    ],
    ids=["text", "damaged", "folder"],
)
def test_a_file_that_is_no_database_is_named(tmp_path, content, message):
    path = tmp_path / "study.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"study\.db {message}"):
        StudyStore(tmp_path).storage()


def test_half_a_database_is_named(tmp_path):
    store = StudyStore(tmp_path)
    store.storage()
    path = tmp_path / "study.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"study\.db is not a database of studies, or is damaged"):
        store.storage()


def test_an_empty_file_becomes_a_database(tmp_path):
    (tmp_path / "study.db").touch()
    StudyStore(tmp_path).storage()
    assert (tmp_path / "study.db").stat().st_size

"""Nodes are skipped if nothing has changed, and never otherwise."""

import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.framework.hooks import _create_hook_manager
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

from cloome_kedro.parameters import RetrievalParameters
from cloome_kedro.recording import NodeRecords
from cloome_kedro.runner import SkippingRunner
from cloome_kedro.source_code import SourceCode
from cloome_kedro.stores import TableStore

TEXT = "cloome_kedro.datasets.tables.Text"
calls: list[str] = []


def first(raw: str, retrieval: RetrievalParameters) -> str:
    calls.append("first")
    return f"{raw} {retrieval.draws}"


def second(first: str, store: TableStore) -> str:
    calls.append("second")
    store.folder.joinpath("second.txt").write_text(first)
    return first + "!"


def third(first: str, store: TableStore) -> str:
    calls.append("third")
    store.folder.joinpath("third.txt").write_text(first)
    return first + "?"


def joined(second: str, third: str) -> str:
    calls.append("joined")
    return second + third


PIPELINE = [
    node(first, ["raw", "params:retrieval"], "first", name="first"),
    node(second, ["first", "store"], "second", name="second"),
    node(third, ["first", "store"], "third", name="third"),
    node(joined, ["second", "third"], "joined", name="joined"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mine.py").write_text("SIZE = 3")
    (tmp_path / "data" / "raw.txt").write_text("raw")
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """Run the pipeline as `kedro run` does; return the names of the nodes that ran."""

    monkeypatch.setattr("cloome_kedro.atomic.flush", lambda *arguments, **options: None)  # a disk can be slow
    monkeypatch.setattr(SourceCode, "of", lambda project, modules: SourceCode((project / "src",)))

    def run(nodes=PIPELINE, entries=None, memory=(), parameters=None, runner=None, **retrieval):
        names = [name for name in ("raw", "first", "second", "third", "joined") if name not in memory]
        catalog = {name: {"type": TEXT, "filepath": str(folder / "data" / f"{name}.txt")} for name in names}
        store = {
            "type": "cloome_kedro.datasets.handle.HandleDataset",
            "handle": "cloome_kedro.stores.TableStore",
            "filepath": str(folder / "data" / "store"),
        }
        catalog = DataCatalog.from_config({**catalog, "store": store, **(entries or {})})
        catalog["params:retrieval"] = MemoryDataset(RetrievalParameters(**retrieval), "assign")
        for name, value in (parameters or {}).items():
            catalog[f"params:{name}"] = MemoryDataset(value, "assign")
        hook, manager, pipeline = NodeRecords(), _create_hook_manager(), Pipeline(nodes)
        manager.register(hook)
        hook.after_context_created(SimpleNamespace(project_path=folder, config_loader={"globals": {"modules": []}}))
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        calls.clear()
        try:
            (runner or SkippingRunner()).run(pipeline, catalog, manager)
        except ZeroDivisionError as error:
            manager.hook.on_pipeline_error(error=error, run_params={}, pipeline=pipeline, catalog=catalog)
        else:
            manager.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=pipeline, catalog=catalog)
        return calls.copy()

    return run


ALL = ["first", "second", "third", "joined"]


def test_nothing_changed_nothing_runs(run, folder, caplog):
    assert run() == ALL
    assert (folder / "data" / "joined.txt").read_text() == "raw 10!raw 10?"
    caplog.set_level("INFO")
    assert run() == []
    assert "4 nodes: nothing has changed, nothing to run (`--fresh` runs all)" in caplog.text
    assert (folder / "data" / "joined.txt").read_text() == "raw 10!raw 10?"


@pytest.mark.parametrize(
    ("path", "ran"),
    [
        ("data/raw.txt", ALL),
        ("src/mine.py", ALL),
        ("data/first.txt", ALL),  # edited by hand: the node that writes it runs again
        ("data/second.txt", ["second", "joined"]),
        ("data/joined.txt", ["joined"]),
        ("data/store/second.txt", ["second", "third", "joined"]),
        ("data/store/new.txt", ["second", "third", "joined"]),
    ],
)
def test_a_changed_file_makes_its_nodes_run(run, folder, path, ran, caplog):
    run()
    path = folder / path
    path.write_text(path.read_text() + "#" if path.exists() else "new")
    caplog.set_level("INFO")
    assert run() == ran
    assert run() == []
    if len(ran) < 4:
        assert f"{4 - len(ran)} of 4 nodes are up to date and skipped" in caplog.text


@pytest.mark.parametrize("path", ["data/first.txt", "data/joined.txt", "data/raw.txt", "data/store/second.txt"])
def test_a_time_of_modification_is_enough(run, folder, path):
    run()
    about = (folder / path).stat()
    os.utime(folder / path, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert run()
    assert run() == []


@pytest.mark.parametrize(("name", "ran"), [("first", ALL), ("second", ["second", "joined"]), ("joined", ["joined"])])
def test_a_missing_output_is_made_again(run, folder, name, ran):
    run()
    (folder / "data" / f"{name}.txt").unlink()
    assert run() == ran
    assert (folder / "data" / "joined.txt").read_text() == "raw 10!raw 10?"


def test_parameters_count_but_not_those_of_the_machine(run, folder):
    run()
    assert run(draws=3) == ALL
    assert (folder / "data" / "joined.txt").read_text() == "raw 3!raw 3?"
    assert run() == ALL, "back to the earlier value: the files are those of the other one"


def test_a_path_in_parameters_counts_with_its_file(run, folder):
    def read(raw, chosen):
        calls.append("read")
        return raw

    nodes, table = [node(read, ["raw", "params:chosen"], "first", name="read")], folder / "table.csv"
    table.write_text("a")
    chosen = {"chosen": {"table": str(table), "workers": 2}}
    assert run(nodes, parameters=chosen) == ["read"]
    assert run(nodes, parameters=chosen) == []
    table.write_text("ab")
    assert run(nodes, parameters=chosen) == ["read"]
    remote = {"chosen": {"table": "s3://bucket/table.csv"}}
    assert run(nodes, parameters=remote) == ["read"]
    assert run(nodes, parameters=remote) == ["read"], "it may have changed"


def test_workers_do_not_count(run):
    def read(raw, chosen):
        calls.append("read")
        return raw

    nodes = [node(read, ["raw", "params:chosen"], "first", name="read")]
    run(nodes, parameters={"chosen": {"inner": {"n_jobs": 2}}})
    assert run(nodes, parameters={"chosen": {"inner": {"n_jobs": 4}}}) == []
    run(nodes, parameters={"chosen": {"parallel": {"backend": "loky", "address": None}}})
    assert run(nodes, parameters={"chosen": {"parallel": {"backend": "dask", "address": "tcp://a:1"}}}) == []


def test_a_changed_entry_of_the_catalog_counts(run, folder):
    run()
    entry = {
        "raw": {
            "type": TEXT,
            "filepath": str(folder / "data" / "raw.txt"),
            "fs_args": {"open_args_load": {"encoding": "utf-8"}},
        }
    }
    assert run(entries=entry) == ALL
    assert run(entries=entry) == []
    (folder / "data" / "other.txt").write_text("raw")
    entry["raw"]["filepath"] = str(folder / "data" / "other.txt")
    assert run(entries=entry) == ALL


def test_a_dataset_that_is_not_known_may_have_changed(run, folder):
    entry = {"raw": {"type": f"{__name__}.Elsewhere"}}
    assert run(entries=entry) == ALL
    assert run(entries=entry) == ALL


class Elsewhere(MemoryDataset):
    """A dataset of a user, of which nobody knows whether it has changed."""

    _EPHEMERAL = False

    def load(self):
        return "elsewhere"


def test_a_node_that_takes_data_in_memory_always_runs(run, folder):
    """With the nodes that make these data, which keep no record."""
    memory = ("second", "third")
    assert run(memory=memory) == ALL
    assert run(memory=memory) == ["second", "third", "joined"]
    (folder / "data" / "raw.txt").write_text("other")
    assert run(memory=memory) == ALL
    assert (folder / "data" / "joined.txt").read_text() == "other 10!other 10?"


def test_part_of_a_pipeline_leaves_the_rest_up_to_date(run):
    """The second node writes into the store of the third one, which is no change from outside."""
    run()
    assert run(PIPELINE[:2], runner=SequentialRunner()) == ["first", "second"]
    assert run() == ["third", "joined"], "the first output was written anew"
    assert run(PIPELINE[1:2], runner=SequentialRunner()) == ["second"]
    assert run() == ["joined"]


def failing(second: str, third: str) -> str:
    calls.append("failing")
    return second + third if not calls.count("failing") else 1 / 0


def test_a_run_goes_on_where_it_failed(run):
    nodes = [*PIPELINE[:3], node(failing, ["second", "third"], "joined", name="joined")]
    assert run(nodes) == ["first", "second", "third", "failing"]
    assert run() == ["joined"]


def test_an_input_that_changes_during_the_run_is_seen_by_the_next(run, folder):
    def slow(raw, retrieval):
        calls.append("slow")
        (folder / "data" / "raw.txt").write_text("changed meanwhile" * len(calls))
        return raw

    nodes = [node(slow, ["raw", "params:retrieval"], "first", name="slow")]
    assert run(nodes) == ["slow"]
    assert run(nodes) == ["slow"]


FOLDER = "cloome_kedro.datasets.folder.FolderDataset"


def listed(images: Path) -> str:
    calls.append("listed")
    return " ".join(sorted(path.name for path in images.iterdir()))


def listed_again(images: Path, first: str) -> str:
    calls.append("again")
    return first


def test_a_folder_is_walked_once_for_all_nodes_that_load_it(run, folder, monkeypatch):
    import cloome_kedro.file_states

    walked, files = [], cloome_kedro.file_states._files
    monkeypatch.setattr(cloome_kedro.file_states, "_files", lambda path: walked.append(path.name) or files(path))
    (folder / "data" / "images").mkdir()
    (folder / "data" / "images" / "a.tif").touch()
    nodes = [
        node(listed, "images", "first", name="listed"),
        node(listed_again, ["images", "first"], "second", name="again"),
    ]
    entries = {"images": {"type": FOLDER, "filepath": str(folder / "data" / "images")}}
    assert run(nodes, entries) == ["listed", "again"]
    assert walked.count("images") == 1
    (folder / "data" / "images" / "b.tif").touch()
    assert run(nodes, entries) == ["listed", "again"], "another run asks again"
    assert walked.count("images") == 2


def writes(first: str) -> str:
    calls.append("writes")
    return first


def writes_into_store(first: str, inner: TableStore) -> str:
    calls.append("writes")
    inner.folder.joinpath("c.tif").write_text(first)
    return first


class Unplaced(AbstractDataset):
    """A dataset of a user, of which nobody knows where it saves."""

    def __init__(self, filepath):
        self.file = Path(filepath)

    def _load(self):
        return self.file.read_text()

    def _save(self, data):
        self.file.write_text(data)

    def _describe(self):
        return {}


@pytest.mark.parametrize("how", ["output", "store", "unknown"])
def test_a_folder_into_which_the_run_writes_is_looked_at_again(run, folder, how):
    images = folder / "data" / "images"
    images.mkdir()
    entries = {"images": {"type": FOLDER, "filepath": str(images)}}
    if how == "store":
        entries["inner"] = {
            "type": "cloome_kedro.datasets.handle.HandleDataset",
            "handle": "cloome_kedro.stores.TableStore",
            "filepath": str(images / "inner"),
        }
    else:
        kind = TEXT if how == "output" else f"{__name__}.Unplaced"
        entries["second"] = {"type": kind, "filepath": str(images / "b.txt")}
    write = (writes_into_store, ["first", "inner"]) if how == "store" else (writes, "first")
    nodes = [
        node(listed, "images", "first", name="listed"),
        node(*write, "second", name="writes"),
        node(writes, "second", "third", name="copies"),
        node(listed_again, ["images", "third"], "joined", name="again"),
    ]
    assert run(nodes, entries) == ["listed", "writes", "writes", "again"]
    assert run(nodes[3:], entries) == []


def test_code_that_is_edited_during_the_run_is_seen_by_the_next(run, folder):
    def slow(raw, retrieval):
        calls.append("slow")
        (folder / "src" / "mine.py").write_text("SIZE = 4  # edited")
        return raw

    nodes = [node(slow, ["raw", "params:retrieval"], "first", name="slow")]
    assert run(nodes) == ["slow"]
    assert run(nodes) == ["slow"]


def copied(raw):
    return raw


def test_a_moved_project_stays_up_to_date(run, folder):
    from cloome_kedro.node_records import Records

    catalog = DataCatalog.from_config({"raw": {"type": TEXT, "filepath": "/a/data/raw.txt"}})
    moved = DataCatalog.from_config({"raw": {"type": TEXT, "filepath": "/b/c/data/raw.txt"}})
    reads = node(copied, "raw", "raw2", name="reads")
    for each in (catalog, moved):
        each["raw2"] = MemoryDataset()
    assert Records(Path("/a"), catalog, "").path(reads).name == Records(Path("/b/c"), moved, "").path(reads).name
    assert Records(Path("/a"), catalog, "")._wiring(reads) == Records(Path("/b/c"), moved, "")._wiring(reads)


def test_the_code_is_the_package_the_project_and_the_users_modules(folder, monkeypatch):
    import cloome_kedro

    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "my_encoders.py").write_text("SIZE = 3")
    monkeypatch.syspath_prepend(folder / "elsewhere")
    importlib.import_module("my_encoders")
    code = SourceCode.of(folder, ["my_encoders"])
    files = set(code._files())
    assert {folder / "src" / "mine.py", folder / "elsewhere" / "my_encoders.py"} <= files
    assert Path(cloome_kedro.__file__).resolve() in files
    assert not any(path.suffix == ".pyc" for path in files)
    before = code.digest()
    os.utime(folder / "elsewhere" / "my_encoders.py", ns=(1, 1))
    assert code.digest() == before, "the content counts, not its time"
    (folder / "elsewhere" / "my_encoders.py").write_text("SIZE = 4")
    assert code.digest() != before

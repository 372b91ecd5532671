"""Splits run at the same time, in processes of their own, with the results of one after the other."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from kedro.framework.hooks import _create_hook_manager, hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

from cloome_kedro.branches import Splits, find_branches, number_at_once
from cloome_kedro.parallel import cores, share_of_cores
from cloome_kedro.recording import NodeRecords
from cloome_kedro.run_status import RunStatus
from cloome_kedro.runner import SkippingRunner, SplitRunner
from cloome_kedro.source_code import SourceCode


def begin(raw: str) -> str:
    return f"{raw} {os.getpid()}"


def work(common: str) -> str:
    return f"{common} {os.getpid()} {torch.get_num_threads()} {cores()}"


def wait_for_other(common: str, other: Path) -> str:
    for _ in range(1200):
        if other.exists():
            return work(common)
        time.sleep(0.05)
    raise TimeoutError("the other split has not run at the same time")


def fail(common: str) -> str:
    raise ZeroDivisionError(f"no {common.split()[0]}")


class Odd(Exception):
    """It cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.function = lambda: text


def fail_oddly(common: str) -> str:
    raise Odd("one and two")


def be_killed(common: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)


def be_interrupted(common: str) -> str:
    raise KeyboardInterrupt


def sleep(common: str) -> str:
    time.sleep(60)


def end(first: str, second: str) -> str:
    return f"{first}\n{second}\n{os.getpid()} {torch.get_num_threads()}"


NAMES = ("raw", "common", "one.result", "two.result", "joined")


def make_pipeline(one=work, two=work, before=begin) -> Pipeline:
    return Pipeline(
        [
            node(before, "raw", "common", name="begin"),
            node(one, "common", "one.result", name="work", namespace="one"),
            node(two, "common", "two.result", name="work", namespace="two"),
            node(end, ["one.result", "two.result"], "joined", name="end"),
        ]
    )


class Noted:
    """Notes the datasets that were saved, in all processes."""

    def __init__(self):
        self.saved: list[str] = []

    @hook_impl
    def after_dataset_saved(self, dataset_name):
        self.saved.append(dataset_name)

    def hand_over(self):
        return self.saved

    def take_over(self, saved):
        self.saved += [name for name in saved if name not in self.saved]


@pytest.fixture
def several_cores(monkeypatch):
    """Four cores and no GPU."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr("joblib.cpu_count", lambda: int(os.environ.get("LOKY_MAX_CPU_COUNT", 4)))
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(tmp_path, monkeypatch, several_cores):
    """Run a pipeline; return its results by name. The hook is the attribute ``hook``."""
    monkeypatch.setattr("cloome_kedro.atomic.flush", lambda *arguments, **options: None)

    def run(pipeline, at_once=2):
        entry = {"type": "cloome_kedro.datasets.tables.Text"}
        catalog = DataCatalog.from_config({name: {**entry, "filepath": str(tmp_path / name)} for name in NAMES})
        catalog["raw"].save("raw")
        splits, run.hook, manager = Splits(), Noted(), _create_hook_manager()
        splits.names, splits.at_once = ["one", "two", "three"], at_once
        manager.register(splits)
        manager.register(run.hook)
        SplitRunner().run(pipeline, catalog, manager)
        return {name: (tmp_path / name).read_text() for name in NAMES}

    return run


def test_splits_run_at_the_same_time_on_their_shares_of_the_cores(run, tmp_path):
    pair = [lambda common, other=other: wait_for_other(common, tmp_path / other) for other in ("started", "one.result")]

    def start(common):
        (tmp_path / "started").touch()
        return pair[1](common)

    results = run(make_pipeline(pair[0], start))
    own, (first, second) = str(os.getpid()), (results[f"{name}.result"].split() for name in ("one", "two"))
    assert results["common"] == f"raw {own}"
    assert first == ["raw", own, own, "2", "2"]
    assert second[:2] == ["raw", own]
    assert second[2] != own
    assert second[3:] == ["2", "2"]
    assert results["joined"].splitlines()[-1] == f"{own} 4", "after the splits, there are all cores again"
    assert cores() == 4


def test_hooks_learn_what_the_other_process_did(run):
    run(make_pipeline())
    assert sorted(run.hook.saved) == ["common", "joined", "one.result", "two.result"]


def test_a_process_of_branches_knows_what_was_written_before(run, tmp_path):
    def saved_before(common):
        return " ".join(run.hook.saved)

    assert run(make_pipeline(two=saved_before))["two.result"] == "common"


def test_a_repeated_run_skips_the_nodes_of_all_processes(tmp_path, monkeypatch, several_cores):
    monkeypatch.setattr("cloome_kedro.atomic.flush", lambda *arguments, **options: None)
    for folder in ("data", "src"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(SourceCode, "of", lambda project, modules: SourceCode((tmp_path / "src",)))
    splits, hook, manager, pipeline = Splits(), NodeRecords(), _create_hook_manager(), make_pipeline()
    splits.names, splits.at_once = ["one", "two"], 2
    manager.register(splits)
    manager.register(hook)
    hook.after_context_created(SimpleNamespace(project_path=tmp_path, config_loader={"globals": {"modules": []}}))
    entry = {"type": "cloome_kedro.datasets.tables.Text"}
    config = {name: {**entry, "filepath": str(tmp_path / "data" / name)} for name in NAMES}
    ran = []
    for raw in ("raw", None, "other", None):
        catalog = DataCatalog.from_config(config)
        if raw:
            catalog["raw"].save(raw)
        before = {name: (tmp_path / "data" / name).read_text() for name in NAMES if ran}
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        SkippingRunner().run(pipeline, catalog, manager)
        manager.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=pipeline, catalog=catalog)
        ran.append({name for name in NAMES[1:] if (tmp_path / "data" / name).read_text() != before.get(name)})
    assert ran == [set(NAMES[1:]), set(), set(NAMES[1:]), set()]


def test_kedro_viz_knows_the_nodes_of_all_processes(tmp_path, monkeypatch, several_cores):
    """Its hook writes what ran into ``.viz``, and its page shows the times of the nodes."""
    run_hooks = pytest.importorskip("kedro_viz.integrations.kedro.run_hooks")
    recorder = run_hooks.PipelineRunStatusHook()
    monkeypatch.setattr(run_hooks, "pipeline_run_hook", recorder)
    written = []
    monkeypatch.setattr(run_hooks, "write_events", written.extend)
    splits, manager, pipeline = Splits(), _create_hook_manager(), make_pipeline()
    splits.names, splits.at_once = ["one", "two"], 2
    for hook in (splits, RunStatus(), recorder):
        manager.register(hook)
    entry = {"type": "cloome_kedro.datasets.tables.Text"}
    catalog = DataCatalog.from_config({name: {**entry, "filepath": str(tmp_path / name)} for name in NAMES})
    catalog["raw"].save("raw")
    recorder.after_catalog_created(catalog)
    arguments = {"run_params": {"runner": str(SkippingRunner())}, "pipeline": pipeline, "catalog": catalog}
    manager.hook.before_pipeline_run(**arguments)
    SkippingRunner().run(pipeline, catalog, manager)
    manager.hook.after_pipeline_run(**arguments, run_result={})
    nodes = [event["node"] for event in written if event["event"] == "after_node_run"]
    assert sorted(nodes) == ["begin", "end", "one.work", "two.work"]
    saved = [event["dataset"] for event in written if event["event"] == "after_dataset_saved"]
    assert sorted(saved) == ["common", "joined", "one.result", "two.result"]
    assert recorder._started_nodes == set(nodes)


def test_one_at_a_time(run):
    results = run(make_pipeline(), at_once=1)
    assert {name: text.split()[1] for name, text in results.items() if name != "raw"}.keys() == set(NAMES[1:])
    assert set(" ".join(results.values()).split()) == {"raw", str(os.getpid()), "4"}


@pytest.mark.parametrize("wrong", ["one", "two"])
def test_an_error_is_raised_when_the_other_split_has_ended(run, tmp_path, caplog, wrong):
    with pytest.raises(ZeroDivisionError, match="no raw"):
        run(make_pipeline(**{wrong: fail}))
    assert sorted(run.hook.saved) == ["common", f"{'two' if wrong == 'one' else 'one'}.result"]
    assert not (tmp_path / "joined").exists()
    if wrong == "one":  # the log of the other process is written there
        assert "one has failed: no raw" in caplog.text


def test_an_error_that_cannot_be_pickled_is_told_by_its_text(run):
    with pytest.raises(RuntimeError, match="Odd: one and two"):
        run(make_pipeline(two=fail_oddly))


def test_a_killed_split_is_named(run, tmp_path):
    with pytest.raises(
        RuntimeError, match=r"the process that ran two has ended with exit status -9.*parallel.splits: 1"
    ):
        run(make_pipeline(two=be_killed))
    assert (tmp_path / "one.result").exists()


def test_a_process_that_is_killed_while_it_waits_is_named(run, tmp_path):
    def kill_children(raw):
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        return begin(raw)

    with pytest.raises(RuntimeError, match=r"the process that ran two has ended with exit status -9"):
        run(make_pipeline(before=kill_children))
    assert (tmp_path / "one.result").exists()


@pytest.mark.parametrize("failing", [{"one": be_interrupted}, {"before": be_interrupted}, {"before": fail}])
def test_the_other_process_ends_with_the_run(run, tmp_path, failing):
    """Ctrl-C, and an error before the splits: nothing waits for the minute that the other split takes."""
    start = time.monotonic()
    with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
        run(make_pipeline(two=sleep, **failing))
    assert time.monotonic() - start < 30
    assert not (tmp_path / "two.result").exists()


def test_branches_are_the_nodes_of_a_split():
    pipeline = make_pipeline()
    parts = find_branches(pipeline, ["one", "two", "three"])
    names = [[found.name for found in part.nodes] for part in (parts.before, *parts.branches.values(), parts.after)]
    assert names == [["begin"], ["one.work"], ["two.work"], ["end"]]
    assert list(parts.branches) == ["one", "two"]
    assert find_branches(pipeline, []).before.nodes == pipeline.nodes


@pytest.mark.parametrize("through", ["one.result", "joined"])
def test_there_are_no_branches_if_one_depends_on_another(through):
    pipeline = Pipeline([node(begin, through, "two.more", name="more", namespace="two")])
    parts = find_branches(make_pipeline() + pipeline, ["one", "two"])
    assert not parts.branches
    assert len(parts.before.nodes) == 5


def test_number_of_splits_at_once(monkeypatch):
    splits = Splits()
    context = {"globals": {"splits": ["a", "b"]}, "parameters": {"parallel": {"splits": 3}}}
    splits.after_context_created(SimpleNamespace(config_loader=context))
    assert splits.names == ["a", "b"]
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    assert [number_at_once(splits, branches) for branches in ("", "a", "ab", "abcd")] == [1, 1, 2, 3]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert number_at_once(splits, "ab") == 1
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert number_at_once(splits, "ab") == 1
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    monkeypatch.setattr("cloome_kedro.branches._GPU_DEVICES", ("/dev/null",))
    assert number_at_once(splits, "ab") == 2, "a device that torch cannot use"
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert number_at_once(splits, "ab") == 1
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    assert number_at_once(splits, "ab") == 1


def test_a_share_of_the_cores_is_at_least_one(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    threads = torch.get_num_threads()
    with share_of_cores(1000):
        assert (cores(), torch.get_num_threads()) == (1, 1)
    assert (os.environ["LOKY_MAX_CPU_COUNT"], torch.get_num_threads()) == ("1", threads)


def test_the_runner_is_kedros_without_hooks(tmp_path):
    """Such as in a notebook."""
    entry = {"type": "cloome_kedro.datasets.tables.Text"}
    results = []
    for name, runner in (("ours", SkippingRunner()), ("kedro", SequentialRunner())):
        (tmp_path / name).mkdir()
        catalog = DataCatalog.from_config({n: {**entry, "filepath": str(tmp_path / name / n)} for n in NAMES})
        catalog["raw"].save("raw")
        runner.run(make_pipeline(), catalog)
        results.append((tmp_path / name / "joined").read_text())
    assert results[0] == results[1]

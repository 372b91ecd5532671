"""Fixtures shared by all tests."""

import gc
import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from project import Project

# No test fails because of the time that an example takes: the time depends on what else the machine does.
settings.register_profile("any load", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")

#: Files of slow tests, longest first. They begin first, so that all test processes end at about the same time.
LONGEST = (
    *("test_virtual_screen.py", "test_tuning_runs.py", "test_commands_run.py", "test_no_images.py", "test_study.py"),
    *("test_resume.py", "test_import_checkpoint.py", "test_jump_example.py", "test_paper.py", "test_model_kinds.py"),
    *("test_new_screen.py", "test_plates.py", "test_check_screen.py", "test_jump_s3.py", "test_extend.py"),
    *("test_processes.py", "test_foundation_models.py", "test_compare_pipeline.py", "test_query_study.py"),
    *("test_data_report_pipeline.py", "test_notebooks.py", "test_validation.py", "test_fit.py", "test_training.py"),
    *("test_several_fields.py", "test_queue.py", "test_profiles.py", "test_search.py", "test_step.py"),
)


def pytest_ignore_collect(collection_path, config):
    """With ``-m slow``, pass over files without slow tests: to import all takes longer than many a slow test."""
    if config.option.markexpr == "slow" and collection_path.suffix == ".py":
        return "mark.slow" not in collection_path.read_text() or None
    return None


@pytest.hookimpl(trylast=True)  # after -m has chosen
def pytest_collection_modifyitems(items):
    """Order the files of slow tests by their length."""
    if all(item.get_closest_marker("slow") for item in items):
        rank = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_collection_finish():
    """Let searches for garbage pass over the imported libraries and the collected tests: they took 5 % of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Project:
    """An empty copy of the project."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def study(project, tmp_path_factory, worker_id) -> Project:
    """A copy of the project in which ``kedro run --env test`` has ended, with two splits at the same time.

    All test processes share one such run.
    """
    run = partial(project.kedro, "run", "--env", "test", "--params", "parallel.splits=2")
    project.run = _once(project, "study", run, tmp_path_factory, worker_id)
    return project


@pytest.fixture
def untouched(study, tmp_path, tmp_path_factory, worker_id) -> Project:
    """A copy of the study as its run has left it. Tests change the files of ``study``."""
    copy = Project(tmp_path / "copy")
    shutil.copytree(_shared("study", tmp_path_factory, worker_id) / "results", copy.folder / "data", dirs_exist_ok=True)
    return copy


@pytest.fixture(scope="session")
def indexed(study, tmp_path_factory, worker_id) -> Project:
    """The study with the index that queries need. All test processes share it."""
    pytest.importorskip("lancedb", reason="the extra `index` is not installed")
    run = partial(study.kedro, "run", "--env", "test", "--pipelines", "index")
    _once(study, "indexed", run, tmp_path_factory, worker_id, "data/07_model_output")
    return study


def _shared(name, tmp_path_factory, worker_id) -> Path:
    """Folder of results that all test processes share."""
    folder = tmp_path_factory.getbasetemp()
    return (folder if worker_id == "master" else folder.parent) / name


def _once(project, name, run, tmp_path_factory, worker_id, results="data") -> subprocess.CompletedProcess:
    """Run a command in the first test process that needs its results. Copy the results in the other processes."""
    shared = _shared(name, tmp_path_factory, worker_id)
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            done = run()
            saving = shared.with_name(f"{name}.part")
            shutil.copytree(project.folder / results, saving / "results")
            (saving / "printed.json").write_text(json.dumps([done.stdout, done.stderr]))
            saving.rename(shared)
            return done
    shutil.copytree(shared / "results", project.folder / results, dirs_exist_ok=True)
    return subprocess.CompletedProcess(["kedro"], 0, *json.loads((shared / "printed.json").read_text()))


@pytest.fixture(scope="session")
def cloome_data() -> Path:
    """Folder of real data, named by the environment variable CLOOME_DATA; tests that need it skip where it is unset."""
    folder = os.environ.get("CLOOME_DATA")
    if not folder:
        pytest.skip("CLOOME_DATA is unset: no real data to test on")
    return Path(folder).expanduser().resolve()


@pytest.fixture(scope="session")
def browser():
    """Chromium, named by the environment variable CLOOME_CHROMIUM or found on PATH; tests skip where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CLOOME_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path:
        pytest.skip("no chromium on PATH, and CLOOME_CHROMIUM is unset: nothing is tested in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def one_thread():
    """One torch thread from here on: small networks gain nothing from more, and on a busy machine threads lose much."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_terminal_summary(terminalreporter):
    """Say how many tests had no data to run on, so that a green run cannot hide it; then the table of parity checks."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "CLOOME_DATA" in str(report.longrepr)]
    terminalreporter.write_line(f"skipped for want of CLOOME_DATA: {len(skipped)}")
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, []) if r.when == "call"]
    rows = dict.fromkeys(value for r in reports for key, value in r.user_properties if key == "parity")
    if rows:
        terminalreporter.section("parity with the published model")
        terminalreporter.write_line(f"{'check':<48}{'largest deviation':>18}{'limit':>9}")
        for check, deviation, limit in rows:
            terminalreporter.write_line(f"{check:<48}{deviation:>18.2g}{limit:>9.2g}")

"""Fixtures shared by all tests."""

import os
import shutil
from pathlib import Path

import pytest

from project import Project


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Project:
    """An empty copy of the project."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def study(project) -> Project:
    """A copy of the project in which ``kedro run --env test`` has ended."""
    project.run = project.kedro("run", "--env", "test")
    return project


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

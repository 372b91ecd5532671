"""Fixtures shared by all tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


class Project:
    """A copy of the project's configuration in a folder of its own, so that a test's runs touch nothing else."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("conf", "notebooks", "src"):  # Kedro refuses a linked src
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, folder / name)

    def kedro(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """Run ``kedro`` in the copy, as a user would."""
        done = subprocess.run(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.folder,
            env={**os.environ, "DO_NOT_TRACK": "1", "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, (
            f"kedro {' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def load(self, dataset: str, env: str = "test"):
        """Load a dataset of the copy's catalog."""
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        bootstrap_project(self.folder)
        with KedroSession.create(project_path=self.folder, env=env) as session:
            return session.load_context().catalog.load(dataset)


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

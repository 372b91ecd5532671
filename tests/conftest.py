"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cloome_data() -> Path:
    """Folder of real data, named by the environment variable CLOOME_DATA; tests that need it skip where it is unset."""
    folder = os.environ.get("CLOOME_DATA")
    if not folder:
        pytest.skip("CLOOME_DATA is unset: no real data to test on")
    return Path(folder).expanduser().resolve()


def pytest_terminal_summary(terminalreporter):
    """Say how many tests had no data to run on, so that a green run cannot hide it."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "CLOOME_DATA" in str(report.longrepr)]
    terminalreporter.write_line(f"skipped for want of CLOOME_DATA: {len(skipped)}")

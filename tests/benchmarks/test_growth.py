"""The benchmark of growth: each step runs at a small size, and exponents are found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import growth
import measuring
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALL = """
import sys, tempfile
from pathlib import Path
import growth, growth_steps
for series in growth.SERIES.values():
    with tempfile.TemporaryDirectory() as folder:
        getattr(growth_steps, series.make)(16, Path(folder))()
        print(series.make)
"""


def run(*command):
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    return subprocess.run(
        [sys.executable, *command], check=True, capture_output=True, text=True, env=environment
    ).stdout


def test_each_step_runs():
    assert run("-c", SMALL).split() == [series.make for series in growth.SERIES.values()]


@pytest.mark.slow
def test_it_prints_the_exponents():
    lines = run(str(FOLDER / "growth.py"), "--only", "ranks", "--scale", "0.2", "--markdown").splitlines()
    assert lines[0].startswith("Machine: ")
    (row,) = lines[4:]
    columns = [column.strip() for column in row.strip("|").split("|")]
    assert columns[:3] == ["ranks", "fields and compounds", "200, 3,200"]
    assert 1 < float(columns[3].removeprefix("n^")) < 2.5
    assert re.fullmatch(r"n\^-?\d\.\d\d", columns[4])


@pytest.mark.parametrize("power", [0, 1, 2])
def test_exponents_of_powers(power):
    assert measuring.exponent([10, 40, 160], [7 * n**power for n in (10, 40, 160)]) == pytest.approx(power, abs=1e-9)

"""The benchmark of ranks runs, and its reference ranks as the project does."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

from cloome_kedro.evaluation.ranks import match_ranks

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ranks.py"


def test_it_prints_rates_and_memory():
    sizes = ["--queries", "600", "--candidates", "5000", "--size", "32", "--repeats", "1"]
    command = [sys.executable, str(SCRIPT), *sizes]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    good, bad, memory = [[column.strip() for column in line.split("|")] for line in lines]
    first = [int(columns[0].removeprefix("ranks among 5,000 candidates, ").split()[0]) for columns in (good, bad)]
    assert first[0] > first[1]
    assert all(column.endswith(" queries/s") for columns in (good, bad) for column in (columns[1], columns[2]))
    assert memory[0] == "ranks of 600 queries, memory"
    ours, reference = (float(column.removesuffix(" MiB").replace(",", "")) for column in memory[1:3])
    assert 0 < ours < reference, "the scores of all pairs take 12 MB, and their order 24 MB"


def test_the_reference_finds_the_same_ranks():
    module = runpy.run_path(str(SCRIPT))
    made = module["vectors"](50, 300, 16, 1.0)
    np.testing.assert_array_equal(module["reference"](*made), match_ranks(*made))

"""The benchmark of probes runs, and finds scikit-learn's areas."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import probing
import pytest

ROOT = Path(__file__).parents[2]


def test_it_prints_rows_and_how_far_results_are_apart(cloome_data):
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "probing.py"),
        "--level",
        "compound",
        "--assays",
        "2",
        "--check",
    ]
    environment = {**os.environ, "CLOOME_DATA": str(cloome_data)}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows = [line.split(" | ") for line in out.splitlines()[:2]]
    step = r"probing, compound level, all 201 assays, 55,043 labels, {}; reference: 2 assays"
    assert re.fullmatch(step.format("one thread"), rows[0][0])
    assert re.fullmatch(step.format(r"\d+ threads, wall time"), rows[1][0])
    assert all(re.fullmatch(r"[\d.,]+ assays/s", columns[place]) for columns in rows for place in (1, 2))
    assert all(float(columns[3]) > 0 for columns in rows)
    apart = re.search(r"converged solution at the same C: mean ([\d.]+), at most ([\d.]+)", out)
    assert apart
    assert float(apart[2]) < 2e-3


def test_strata_take_about_the_same_time():
    labels = np.random.default_rng(0).permutation(np.r_[np.full(90, 100), np.full(10, 5000)])
    parts = probing.strata(labels, 4)
    assert sorted(np.concatenate(parts)) == list(range(100))
    times = np.array([(labels[part] + labels.mean()).sum() for part in parts])
    assert np.abs(times - times.mean()).max() <= labels.max() + labels.mean()  # one assay more or less
    largest = [labels[part].max() for part in parts]
    assert largest == sorted(largest)
    assert [len(part) for part in probing.strata(np.full(12, 7), 3)] == [4, 4, 4]


@pytest.mark.parametrize("number", [3, 5])
def test_with_enough_strata_each_assay_stands_for_itself(number):
    assert [part.tolist() for part in probing.strata(np.array([30, 10, 20]), number)] == [[1], [2], [0]]

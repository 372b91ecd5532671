"""The benchmark of probes runs, and finds scikit-learn's areas."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_rows_and_how_far_results_are_apart(cloome_data):
    sizes = ["--level", "compound", "--assays", "2", "--repeats", "1", "--check", "--no-all"]
    command = [sys.executable, str(ROOT / "benchmarks" / "probing.py"), *sizes]
    environment = {**os.environ, "CLOOME_DATA": str(cloome_data)}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows = [line.split(" | ") for line in out.splitlines()[:2]]
    assert rows[0][0] == "probing, compound level, 2 of 201 assays, one thread"
    assert re.fullmatch(r"probing, compound level, 2 of 201 assays, \d+ threads", rows[1][0])
    assert all(re.fullmatch(r"[\d.,]+ assays/s", columns[1]) for columns in rows)
    assert all(float(columns[3]) > 0 for columns in rows)
    apart = re.search(r"converged solution at the same C: mean ([\d.]+), at most ([\d.]+)", out)
    assert apart
    assert float(apart[2]) < 2e-3

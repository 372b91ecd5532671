"""The benchmark of probes runs, and finds scikit-learn's areas."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_times_and_how_far_results_are_apart(cloome_data):
    command = [sys.executable, str(ROOT / "benchmarks" / "probing.py"), "--level", "compound", "--assays", "2"]
    environment = {**os.environ, "CLOOME_DATA": str(cloome_data)}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert re.search(r"compound level: 2 of \d+ assays, \[\d+, \d+, \d+\] labels, 13 C", out)
    assert len(re.findall(r"published, .* s of CPU\): [\d.]+ times as long", out)) == 2
    apart = re.search(r"converged solution at the same C: mean ([\d.]+), at most ([\d.]+)", out)
    assert apart
    assert float(apart[2]) < 2e-3

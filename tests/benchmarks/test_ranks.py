"""The benchmark of ranks runs, and says what it is to say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_times_and_memory():
    sizes = ["--queries", "600", "--candidates", "5000", "--size", "32", "--repeats", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "ranks.py"), *sizes]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 2
    numbers = [
        re.fullmatch(
            r"600 queries x 5000 candidates x 32, top-1 (\d+)%: match_ranks ([\d.]+) s, matrix product ([\d.]+) s, "
            r"ratio [\d.]+, peak ([\d.]+) GiB",
            line,
        )
        for line in lines
    ]
    assert all(numbers)
    good, bad = numbers
    assert int(good[1]) > int(bad[1])
    assert 0 < float(good[4]) < 0.5

"""The benchmark of augmentation runs, and prints a line per setting."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_what_each_setting_adds():
    sizes = ["--batch", "16", "--side", "32", "--width", "4", "--repeats", "2", "--threads", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "augmentation.py"), *sizes]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pattern = r"(\w+): -?[\d.]+ ms, -?[\d.]+% of a step of \d+ ms"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert all(found)
    assert [match[1] for match in found] == ["flips", "quarter_turns", "intensity_jitter", "cutout", "all"]

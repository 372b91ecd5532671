"""The benchmark of the index runs, and says what it is to say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_rates():
    sizes = ["--fields", "50", "200", "--repeats", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "index.py"), *sizes]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 2
    for fields, line in zip((50, 200), lines, strict=True):
        rate = r"[\d.,]+ fields/s"
        pattern = rf"index of {fields} fields, {fields} without images \| {rate} \| {rate} \| [\d.]+ \| {rate} \| \d+ %"
        assert re.fullmatch(pattern, line), line

"""The benchmark of the index runs, and says what it is to say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_times():
    command = [sys.executable, str(ROOT / "benchmarks" / "index.py"), "--fields", "50", "200"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 2
    for fields, line in zip((50, 200), lines, strict=True):
        pattern = (
            rf"{fields} fields, {fields} rejected: index [\d.]+ s, \d+ µs per field, read_csv [\d.]+ s, ratio [\d.]+"
        )
        assert re.fullmatch(pattern, line), line

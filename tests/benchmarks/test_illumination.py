"""The benchmark of illumination runs, and prints a line per method and number of fields."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_errors_and_the_time_of_a_division():
    sizes = ["--fields", "8,16", "--side", "24", "--time-side", "40", "--repeats", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "illumination.py"), *sizes]
    *lines, last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pattern = r"(\w+), (\d+) fields: error [\d.]+ % \(root mean square\), at most [\d.]+ %"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert all(found)
    methods = ["gaussian", "median", *(["basic"] if importlib.util.find_spec("basicpy") else [])]
    assert [match.groups() for match in found] == [(name, number) for number in ("8", "16") for name in methods]
    assert re.fullmatch(r"division of five images: [\d.]+ ms, [\d.]+ times a copy of them", last)

"""The benchmark of augmentation runs, and prints a row per setting."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_a_row_per_setting_and_the_step():
    sizes = ["--batch", "16", "--side", "32", "--width", "4", "--repeats", "1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "augmentation.py"), *sizes]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rate = r"[\d.,]+ images/s"
    found = [
        re.fullmatch(rf"augmentation, (\w+) \| {rate} \| {rate} \| [\d.]+ \| {rate} \| \d+ %", x) for x in lines[:-1]
    ]
    assert all(found)
    assert [match[1] for match in found] == ["flips", "quarter_turns", "intensity_jitter", "cutout", "all"]
    assert re.fullmatch(rf"step with augmentation \| {rate} \|  \|  \| {rate} \| \d+ %", lines[-1])

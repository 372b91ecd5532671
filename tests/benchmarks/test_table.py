"""The table of all benchmarks."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "table.py"


@pytest.fixture
def table(monkeypatch, capsys):
    """Run the script with names; return its exit status and what it prints."""

    def run(*names):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *names])
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as ended:
            return ended.code, capsys.readouterr().err
        return 0, capsys.readouterr().out

    return run


def test_every_benchmark_is_in_it():
    others = {"compare_results"}  # compares results of two runs; it measures no speed
    files = {path.stem for path in SCRIPT.parent.glob("*.py")} - {"table"} - others
    assert set(runpy.run_path(str(SCRIPT))["SIZES"]) == files


@pytest.mark.parametrize("name", sorted(runpy.run_path(str(SCRIPT))["SIZES"]))
def test_the_benchmarks_know_the_options(name):
    """An option that a benchmark does not know would be noticed only when somebody measures."""
    sizes = runpy.run_path(str(SCRIPT))["SIZES"]
    known = set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', (SCRIPT.parent / f"{name}.py").read_text()))
    given = {option.replace("--no-", "--") for option in sizes[name].split() if option.startswith("--")}
    assert given <= known


def test_results_are_one_table(table, monkeypatch):
    monkeypatch.delenv("CLOOME_DATA", raising=False)
    small = subprocess.CompletedProcess([], 0, "5000 fields, 1 rejected: index 1 s, ratio 2\n")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: small)
    assert table("index", "probing") == (
        0,
        "| benchmark | measured | result |\n|---|---|---|\n"
        "| index | 5000 fields, 1 rejected | index 1 s, ratio 2 |\n"
        "| probing | left out | CLOOME_DATA is not set |\n",
    )


def test_mistakes_are_told(table, monkeypatch):
    status, text = table("rank")
    assert status == 2
    assert "there is no benchmark rank; there are: augmentation, index, ranks" in text
    monkeypatch.setattr(subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 3, ""))
    assert str(table("index")[0]).endswith("index.py --fields 5000 20000 ended with status 3")

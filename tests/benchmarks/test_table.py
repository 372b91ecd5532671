"""The table of all benchmarks."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import measuring
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
    # These compare results with each other, or estimates with the truth; the others have no measurements of their own.
    others = {"compare_results", "illumination", "measuring", "growth_steps", "renew"}
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
    small = subprocess.CompletedProcess([], 0, "index of 5,000 fields: 1 s\n")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: small)
    status, text = table("index", "probing")
    assert status == 0
    assert re.match(r"Machine: .+, \d+ cores, \d+ GiB, .+, Python 3", text)
    assert text.split("\n\n")[1] == (
        "| benchmark | step | ours | reference | ratio | limit | share of the limit |\n|---|---|---|---|---|---|---|\n"
        "| index | index of 5,000 fields | 1 s |  |  |  |  |\n"
        "| probing | left out | CLOOME_DATA is not set |  |  |  |  |\n"
    )


def test_pairs_have_all_columns():
    found = list(runpy.run_path(str(SCRIPT))["rows"](measuring.row("read", "fields/s", 90, 30, 120)))
    assert found == [("read", "90 fields/s", "30 fields/s", "3.0", "120 fields/s", "75 %")]
    assert list(runpy.run_path(str(SCRIPT))["rows"](measuring.row("read", "plates/s", 0.05))) == [
        ("read", "0.05 plates/s", "", "", "", "")
    ]
    assert len(measuring.row("read", "fields/s", 1).split("|")) == len(measuring.COLUMNS)


def test_less_is_better_for_costs():
    assert measuring.costs("rank", "MiB", 20, 80, 10) == "rank | 20 MiB | 80 MiB | 4.0 | 10 MiB | 50 %"


def test_a_process_apart_returns_the_result():
    assert measuring.apart(abs, -3) == 3


def test_pairs_are_measured_in_turns():
    """The first call of each does not count; the rate is that of the median."""
    calls, now = [], [0.0]

    def work(name, seconds):
        def call():
            calls.append(name)
            now[0] += seconds[calls.count(name) - 1]

        return call

    times = {"ours": [100, 1, 2, 3], "reference": [50, 9, 8, 7]}
    found = measuring.alternating({name: work(name, s) for name, s in times.items()}, 3, clock=lambda: now[0])
    assert found == {"ours": 2, "reference": 8}
    assert calls == ["ours", "reference"] * 4


@pytest.mark.parametrize(
    ("name", "sizes", "steps"),
    [
        ("ingestion", "--fields 2 --repeats 1", 3),
        ("batches", "--fields 4 --batch 2 --crop 64 --repeats 1", 3),
        ("profiles", "--fields 1 --repeats 1 --no-all", 4),
        ("fingerprints", "--structures 20 --bits 64 --repeats 1", 6),
    ],
)
def test_benchmarks_of_pairs_print_rows(name, sizes, steps):
    command = [sys.executable, str(SCRIPT.parent / f"{name}.py"), *sizes.split()]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = list(runpy.run_path(str(SCRIPT))["rows"](output))
    assert len(found) == steps
    pairs = [columns for columns in found if columns[2]]
    assert pairs
    assert all(re.fullmatch(r"[\d.,]+ \w+/s", columns[place]) for columns in pairs for place in (1, 2))
    assert all(float(columns[3]) > 0 for columns in pairs)


def test_mistakes_are_told(table, monkeypatch):
    status, text = table("rank")
    assert status == 2
    assert "there is no benchmark rank; there are: ingestion, batches, augmentation, index, ranks" in text
    monkeypatch.setattr(subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 3, ""))
    assert str(table("index")[0]).endswith("index.py --fields 5000 20000 --repeats 5 ended with status 3")

"""The Makefile: every target is in its help, and a study is installed without the extras."""

import subprocess
import tomllib

from project import ROOT


def make(*arguments):
    """Run make; return what it prints."""
    return subprocess.run(["make", "-s", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_help_lists_every_target():
    lines = [line.split(maxsplit=2) for line in make("help").splitlines()]
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY"))
    assert [name for _, name, _ in lines] and {name for _, name, _ in lines} == set(phony.split()[1:])  # noqa: PT018
    assert all(make_ == "make" and text.endswith(".") for make_, _, text in lines)


def test_a_study_needs_no_extras():
    """-W makes it install anew; -n only prints the commands."""
    installed = [line for line in make("-n", "-W", "pyproject.toml", "run").splitlines() if "pip install" in line]
    assert [line.split()[-1] for line in installed] == ["."]
    tested = make("-n", "-W", "pyproject.toml", "test")
    assert "'.[all]'" in tested


def test_all_has_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (everything,) = extras.pop("all")
    assert everything == f"cloome-kedro[{','.join(sorted(extras))}]"

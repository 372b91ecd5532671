"""The wheel: it has every file of the package, and asks an index without the repository."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from project import ROOT
from small_index import build

PACKAGE = ROOT / "src" / "cloome_kedro"
#: no variable that could bring the repository in
CLEAN = {"PATH": "/usr/bin:/bin", "DO_NOT_TRACK": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the project, built with the packages that are installed here."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (path,) = target.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with the wheel. It sees the packages that are installed here, but not the repository."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    done = pip(folder, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    (here,) = {path for path in map(Path, sys.path) if (path / "torch").is_dir()}
    # .pth files in that folder are not read, so it gives its packages, and not the repository
    (site / "packages.pth").write_text(f"{here}\n")
    return folder


def pip(environment, *arguments):
    """Run pip for an environment."""
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_file_is_in_the_wheel(wheel):
    """A template or a static file that is forgotten is noticed only where there is no repository."""
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("cloome_kedro/")}
    assert packed == {path.relative_to(PACKAGE.parent).as_posix() for path in files}


@pytest.mark.slow
def test_the_command_runs_without_the_repository(environment, tmp_path):
    where = [str(environment / "bin" / "python"), "-c", "import cloome_kedro; print(cloome_kedro.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(environment)
    done = subprocess.run([str(environment / "bin" / "cloome"), "--help"], cwd=tmp_path, env=CLEAN, capture_output=True)
    assert done.returncode == 0
    assert b"query" in done.stdout


@pytest.mark.slow
def test_requirements_fit_together(environment):
    """Other packages that are installed here can contradict one another; the requirements of the wheel must be met."""
    lines = pip(environment, "check").stdout.splitlines()
    assert lines
    assert not [line for line in lines if line.startswith("cloome-kedro")]


@pytest.mark.slow
def test_an_index_is_asked_without_the_repository(environment, tmp_path):
    """The folder of an index can be given away."""
    build(tmp_path / "given")
    command = [str(environment / "bin" / "cloome"), "query", "--index", "given", "--smiles", "CC(=O)Nc1ccc(O)cc1"]
    command += ["--top", "3", "--format", "csv", "--gallery", "hits.html"]
    done = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 1 + 3
    assert (tmp_path / "hits.html").is_file()

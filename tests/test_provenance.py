"""What is said of the commit, the packages and the device of a run."""

import re
import subprocess
from importlib.metadata import version

import pytest

from cloome_kedro import provenance


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit of one file."""
    (tmp_path / "file").write_text("a")
    identity = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "file"], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_a_commit_is_clean_or_modified(repository):
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert provenance.commit(repository) == f"{head[:12]} (clean)"
    (repository / "results").write_text("not tracked")
    assert provenance.commit(repository) == f"{head[:12]} (clean)"
    (repository / "file").write_text("b")
    assert provenance.commit(repository) == f"{head[:12]} (modified)"


def test_without_a_repository_or_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == ""
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert provenance.commit(tmp_path) == "", "there is no commit yet"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit(tmp_path) == ""


def test_versions_are_those_of_the_installed_packages(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("pandas", "no-such-package"))
    found = provenance.versions()
    assert list(found) == ["Python", "pandas"]
    assert found["pandas"] == version("pandas")


def test_the_device_is_named():
    assert re.fullmatch(r"CPU, \w+, \d+ cores", provenance.device("cpu"))

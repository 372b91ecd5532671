"""The command `cloome serve`."""

import socket
import subprocess
import sys
import urllib.request

import pytest

from cloome_kedro.__main__ import main
from cloome_kedro.cli import cloome
from cloome_kedro.cli.serve import listen


@pytest.fixture
def run():
    from click.testing import CliRunner

    return lambda *arguments: CliRunner().invoke(cloome, ["serve", "--no-browser", *map(str, arguments)])


def test_a_folder_without_an_index_is_named(run, tmp_path):
    result = run("--index", tmp_path)
    assert (result.exit_code, f"{tmp_path} is not an index" in result.output) == (2, True)


def test_outside_a_project_an_index_must_be_given(run, monkeypatch):
    monkeypatch.chdir("/")
    result = run()
    assert (result.exit_code, "is in no project" in result.output) == (2, True)


def test_a_taken_port_is_named(run, index_folders):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        result = run("--index", *index_folders, "--port", port)
    assert (result.exit_code, f"cannot listen on 127.0.0.1, port {port}" in result.output) == (2, True)


def test_an_unknown_host_is_named():
    with pytest.raises(ValueError, match=r"cannot listen on no\.such\.host\.invalid"):
        listen("no.such.host.invalid", 0)


def test_a_missing_extra_is_named(run, index_folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("--index", index_folders[0])
    assert (result.exit_code, "pip install 'cloome-kedro[index,page]'" in result.output) == (2, True)


def test_the_command_is_listed():
    assert callable(main)
    assert "serve" in cloome.list_commands(None)


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_it_serves_until_it_is_stopped(index_folders, host, warns):
    command = [sys.executable, "-m", "cloome_kedro", "serve", "--no-browser", "--device", "cpu", "--port", "0"]
    command += ["--host", host, "--index", *map(str, index_folders)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("2 indexes: http://"), line + process.stderr.read()
        port = int(line.split("/ (")[0].rsplit(":", 1)[1])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/indexes", timeout=60) as answer:
            assert b"made_up-random-ridge" in answer.read()
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert ("everyone in the network" in errors) == warns
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", port)) != 0

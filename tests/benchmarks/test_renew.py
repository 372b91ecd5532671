"""Blocks of the page about speed are replaced by new measurements."""

import subprocess

import pytest
import renew


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "speed.md"
    path.write_text("before\n\n<!-- begin plan -->\nold\n<!-- end plan -->\n\nafter\n")
    monkeypatch.setattr(renew, "PAGE", path)
    return path


def output(monkeypatch, text, status=0):
    """Let every command print a text; return the commands."""
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, status, text)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_page_has_each_block_once():
    text = renew.PAGE.read_text()
    for block in renew.COMMANDS:
        assert "\n\nnew\n\n" in renew.replaced(text, block, "new")


def test_a_block_is_replaced_and_names_the_command(page, monkeypatch):
    commands = output(monkeypatch, "10 hours\n")
    monkeypatch.setattr("sys.argv", ["renew.py", "plan", "--rate", "2500"])
    renew.main()
    assert commands[0][1:3] == ["-m", "cloome_kedro"]
    text = page.read_text()
    assert text.startswith("before\n\n<!-- begin plan -->\n\nMachine: ")
    command = "cloome plan --fields 919265 --compounds 30616 --gpus 8 --rate 2500"
    assert f"Output of `{command}`:\n\n```text\n10 hours\n```\n" in text
    assert text.endswith("\n\n<!-- end plan -->\n\nafter\n")


def test_a_failure_leaves_the_page(page, monkeypatch):
    before = page.read_text()
    output(monkeypatch, "half a table", status=1)
    monkeypatch.setattr("sys.argv", ["renew.py", "plan"])
    with pytest.raises(SystemExit, match="ended with status 1"):
        renew.main()
    assert page.read_text() == before
    with pytest.raises(SystemExit, match="must have <!-- begin growth --> and <!-- end growth --> once"):
        renew.replaced(before, "growth", "new")

"""The command `cloome`: its help, `run`, and mistakes as one line."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cloome_kedro import cli
from cloome_kedro.__main__ import main

MODULES = ("torch", "pandas", "lancedb", "kedro", "matplotlib", "rdkit")


def run(*arguments):
    return CliRunner().invoke(cli.cloome, list(arguments), prog_name="cloome")


def test_the_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom cloome_kedro.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {MODULES} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name, (_, text) in cli.COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert text in done.stdout


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name != "run"])
def test_each_command_has_a_help(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cloome {name} ")


@pytest.fixture
def called(monkeypatch):
    """Arguments with which a stand-in for `run` was called."""
    arguments = []

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("given", nargs=-1, type=click.UNPROCESSED)
    def stand_in(given):
        arguments.append(list(given))

    monkeypatch.setattr("cloome_kedro.cli.kedro_run.command", lambda: stand_in)
    return arguments


@pytest.mark.parametrize("first", [(), ("run",)])
def test_options_alone_are_a_run(called, first):
    assert run(*first, "--pipelines", "study", "--params", "seed=1").exit_code == 0
    assert called == [["--pipelines", "study", "--params", "seed=1"]]


@pytest.mark.parametrize("given", [[], ["run"]])
def test_without_arguments_the_default_pipeline_is_run(called, monkeypatch, given):
    monkeypatch.setattr(sys, "argv", ["cloome", *given])
    main(standalone_mode=False)
    main(given, standalone_mode=False)
    assert called == [[], []]


def test_kedro_finds_the_run_command_and_no_others():
    from kedro.framework.cli.utils import find_run_command

    assert find_run_command("cloome_kedro").name == "run"
    assert cli.cli.list_commands(None) == ["run"]
    assert cli.cli.get_command(None, "walk") is None
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        cli.walk  # noqa: B018


@pytest.mark.parametrize(
    ("given", "runner"),
    [
        ([], "SkippingRunner"),
        (["--pipelines", "training,embedding", "--namespaces", "random"], "SkippingRunner"),
        (["--fresh"], "SplitRunner"),
        (["--only-missing-outputs"], "SplitRunner"),
        (["--nodes", "train"], "SplitRunner"),
        (["--from-nodes", "train"], "SplitRunner"),
        (["--runner", "ThreadRunner"], "ThreadRunner"),
    ],
)
def test_run_skips_what_is_up_to_date_unless_nodes_are_named(given, runner):
    from cloome_kedro.cli.kedro_run import _skipping

    passed = {}

    @click.command()
    @click.option("--pipelines")
    @click.option("--namespaces")
    @click.option("--runner")
    @click.option("--nodes", "node_names")
    @click.option("--from-nodes")
    @click.option("--only-missing-outputs", is_flag=True)
    def of_kedro(**options):
        passed.update(options)

    done = CliRunner().invoke(_skipping(of_kedro), given)
    assert done.exit_code == 0, done.output
    assert (passed["runner"] or "").rpartition(".")[2] == runner
    assert "fresh" not in passed
    assert "--fresh" not in CliRunner().invoke(of_kedro, ["--help"]).output, "Kedro's own command stays as it is"


def test_an_unknown_command_is_named_with_the_nearest():
    done = run("qurey")
    assert (done.exit_code, done.output) == (2, "Error: there is no command 'qurey'; the nearest is: query\n")


@pytest.mark.parametrize("error", [ValueError("a\n  b"), FileNotFoundError("a b"), ImportError("a b")])
def test_a_mistake_is_one_line(monkeypatch, error):
    @click.command()
    def failing():
        raise error

    monkeypatch.setattr("cloome_kedro.cli.query.command", failing)
    done = run("query")
    assert (done.exit_code, done.output) == (2, "Error: a b\n")


def test_an_error_of_a_run_is_not_shortened(monkeypatch):
    @click.command()
    def failing():
        raise ValueError("in a node")

    monkeypatch.setattr("cloome_kedro.cli.kedro_run.command", lambda: failing)
    done = run("run")
    assert isinstance(done.exception, ValueError)

"""Every command and every piece of Python in the documentation is right: options, names and parameters exist.

`test_commands_run.py` runs those that can be run here.
"""

import ast
import importlib
import re
import subprocess
import tomllib
from types import SimpleNamespace

import click
import pytest

from cloome_kedro.cli import cloome, kedro_run
from cloome_kedro.cluster import use_cluster
from cloome_kedro.hooks import CheckedConfiguration
from cloome_kedro.pipeline_registry import register_pipelines
from cloome_kedro.settings import CONFIG_LOADER_ARGS
from documented import Block, Command, block_commands, blocks, commands, inline_commands
from project import ROOT

#: words that stand for a name of the reader
PLACEHOLDERS = {"my_screen", "NAME", "COMMAND", "a,b"}
#: programs of others, whose arguments are not checked
OTHERS = {"cd", "dask", "git", "source", "python3", "mlflow", "optuna-dashboard", "pre-commit"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def check(command: Command) -> None:
    """Raise an error if a command has a name or an option that does not exist."""
    program, *arguments = command.words
    if program not in OTHERS:
        CHECKS[program](arguments)


def _check_make(arguments):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(arguments) <= set(targets)


def _check_kedro(arguments):
    name, *others = arguments
    if name == "run":
        check_run(others)
        return
    from kedro.framework.cli.cli import KedroCLI

    command, context = KedroCLI(ROOT), None
    while isinstance(command, click.Group):
        context = click.Context(command)
        command, name, *others = command.get_command(context, name), *(others or [""])
        assert command is not None, arguments
    command.make_context(arguments[-1], [word for word in [name, *others] if word])


def _check_cloome(arguments):
    if not arguments or arguments[0] in PLACEHOLDERS:
        return
    if arguments[0] == "run" or arguments[0].startswith("-"):
        check_run(arguments[1:] if arguments[0] == "run" else arguments)
        return
    command = cloome.get_command(click.Context(cloome), arguments[0])
    assert command is not None, f"there is no command {arguments[0]}"
    if len(arguments) > 1:  # otherwise the text only names it
        command.make_context(arguments[0], arguments[1:])


def _check_pip(arguments):
    assert arguments[0] == "install"
    for extras in re.findall(r"(?:^|cloome-kedro|\.)\[([a-z,]+)\]$", arguments[-1]):
        assert set(extras.split(",")) <= set(EXTRAS)


def _check_python(arguments):
    text = (ROOT / arguments[0]).read_text()
    assert all(f'"{word}"' in text for word in arguments[1:] if word.startswith("--"))


def _check_jupyter(arguments):
    assert all((ROOT / word).is_file() for word in arguments if word.endswith(".ipynb"))


def _check_torchrun(arguments):
    started = arguments[arguments.index("-m") + 1 :]
    CHECKS[started[0]](started[1:])


def _check_srun(arguments):
    CHECKS["torchrun"](arguments[arguments.index("torchrun") + 1 :])


CHECKS = {
    "make": _check_make,
    "kedro": _check_kedro,
    "cloome": _check_cloome,
    "pip": _check_pip,
    "python": _check_python,
    "jupyter": _check_jupyter,
    "torchrun": _check_torchrun,
    "srun": _check_srun,
}


def check_run(arguments) -> None:
    """Check the environment, the parameters, the pipelines and the selection of nodes of ``kedro run``."""
    from kedro.config import OmegaConfigLoader

    options = kedro_run.command().make_context("run", list(arguments)).params
    env = options["env"] or "base"
    env = "base" if env in PLACEHOLDERS else env
    assert (ROOT / "conf" / env).is_dir(), f"there is no environment {env}"
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=env, runtime_params=options["params"], **CONFIG_LOADER_ARGS)
    CheckedConfiguration().after_context_created(SimpleNamespace(config_loader=loader, env=env, project_path=ROOT))
    pipelines = register_pipelines({kind: loader[kind] for kind in ("globals", "parameters")})
    names = options["pipelines"] or [options["pipeline"] or "__default__"]
    if {",".join(names)} & PLACEHOLDERS:
        return
    nodes = sum((pipelines[name] for name in names), pipelines[names[0]])
    assert nodes.filter(tags=options["tags"] or None, node_namespaces=list(options["namespaces"] or []) or None).nodes


@pytest.fixture(autouse=True)
def this_machine():
    """A command that chooses a cluster chooses none for other tests."""
    yield
    use_cluster(None)


FOUND = list({str(command): command for command in [*block_commands(), *inline_commands()]}.values())


@pytest.mark.parametrize("command", FOUND, ids=str)
def test_a_command_is_right(command):
    check(command)


def test_the_commands_are_found():
    found = {command.words[:2] for command in block_commands()}
    assert {("kedro", "run"), ("cloome", "query"), ("make", "run"), ("pip", "install")} <= found
    assert sum(command.words[:2] == ("kedro", "run") for command in FOUND) > 30


def test_commands_are_marked_as_shell_code():
    """A block without a language would not be checked."""
    unmarked = [block for block in blocks() if block.language not in ("bash", "python")]
    assert not [block for block in unmarked if re.search(r"^\$? ?(kedro|cloome|make|pip) ", block.text, re.MULTILINE)]


@pytest.mark.parametrize(
    "text",
    [
        "kedro run --pipelines retrievals",
        "kedro run --pipelines retrieval --namespaces randon",
        "kedro run --tag gpu",
        "kedro run --env papr",
        "kedro run --params retrieval.draw=3",
        "kedro run --params retrieval.draws=0",
        "kedro run --env paper --params preset=nothing",
        "kedro viz rum",
        "cloome query --smile CCO",
        "cloome quer",
        "make tests",
        "pip install 'cloome-kedro[indexes]'",
        "python benchmarks/ranks.py --querys 3",
        "python benchmarks/rank.py",
        "jupyter lab notebooks/00_nothing.ipynb",
        "kedroo run",
    ],
)
def test_mistakes_are_found(text):
    (command,) = commands(text, "")
    with pytest.raises((AssertionError, click.ClickException, ValueError, KeyError, FileNotFoundError)):
        check(command)


PYTHON = [block for block in blocks() if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_is_right(block):
    check_python(block)


def check_python(block: Block) -> None:
    """Compile code, and import what it imports. Lines of IPython that begin with % are left out."""
    tree = ast.parse(re.sub(r"^%.*$", "", block.text, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


@pytest.mark.parametrize("text", ["x = = 1", "import cloome_kedr", "from cloome_kedro import Clome"])
def test_mistakes_in_python_are_found(text):
    with pytest.raises((SyntaxError, ImportError, AssertionError, AttributeError)):
        check_python(Block("", "python", text))


def test_paths_of_scripts_in_the_text_exist():
    text = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    scripts = set(re.findall(r"(?:benchmarks|docs/figures|tests)/[\w/]+\.py", text))
    assert scripts
    assert not [script for script in scripts if not (ROOT / script).is_file()]


def test_git_knows_no_built_site():
    done = subprocess.run(["git", "check-ignore", "site/index.html"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("the project is not in a git repository")
    assert done.stdout

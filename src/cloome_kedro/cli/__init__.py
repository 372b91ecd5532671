"""The command ``cloome``. Each command has a module of its own, which is imported when the command is called.

A mistake of the user gives one line and exit status 2. ``cloome --pipelines X`` and other calls that begin with an
option are ``cloome run``, which is ``kedro run``.
"""

import difflib
import sys
from pathlib import Path
from typing import Any

import click

#: command -> its module and object, and its line in the help
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("cloome_kedro.cli.kedro_run:command", "Run pipelines of the project (kedro run)."),
    "new-screen": ("cloome_kedro.cli.new_screen:command", "Look at a folder of plates, and write conf/NAME for it."),
    "check-screen": ("cloome_kedro.cli.check_screen:command", "Check a screen in seconds, before it is ingested."),
    "plan": ("cloome_kedro.cli.plan:command", "Say what a larger study will need: disk, memory, hours."),
    "query": ("cloome_kedro.cli.query:command", "Ask a model with a structure, images, a field or a compound."),
    "embed": ("cloome_kedro.cli.embed:command", "Embed a file of structures, or folders of new plates."),
    "score": ("cloome_kedro.cli.score:command", "Rank a file of structures by their similarity to some wells."),
    "export": ("cloome_kedro.cli.export:command", "Write the embeddings of an index as parquet or AnnData."),
    "serve": ("cloome_kedro.cli.serve:command", "Open a page on which models are asked."),
    "runs": ("cloome_kedro.cli.runs:command", "List trainings, or compare the parameters and results of two."),
}

_HELP = ("--help", "-h")
#: errors that a user can correct: wrong values, files that are missing or cannot be read, and missing extras
_MISTAKES = (ValueError, OSError, ImportError)


class Mistake(click.ClickException):
    """A mistake of the user: one line and exit status 2."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports a command when it is called. Its help imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if it is unknown."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        return command if isinstance(command, click.Command) else command()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the arguments. The message about an unknown one names the nearest."""
        if args and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, 1, 0.5) or [", ".join(COMMANDS)]
            raise Mistake(f"there is no command {args[0]!r}; the nearest is: {near[0]}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before options."""
        if args and args[0].startswith("-") and args[0] not in _HELP:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. Mistakes of the user become one line; `run` reports its errors as Kedro does."""
        called = [*getattr(ctx, "_protected_args", ()), *ctx.args][:1]
        try:
            return super().invoke(ctx)
        except _MISTAKES as error:
            if called == ["run"]:
                raise
            raise Mistake(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Text of an error as one line.

    >>> one_line(ValueError("a field\\n  is missing"))
    'a field is missing'
    """
    return " ".join(str(error).split()) or type(error).__name__


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": list(_HELP), "max_content_width": 120},
    subcommand_metavar="COMMAND [ARGUMENTS]",
)
def cloome() -> None:
    """Train one embedding space for Cell Painting images and chemical structures, and ask it.

    `cloome COMMAND --help` describes a command. A call that begins with an option, such as
    `cloome --pipelines study`, is `cloome run`.
    """


class KedroGroup(click.Group):
    """What this project adds to the command `kedro`: its own `run`, which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return ["run"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if it is none of this group."""
        if cmd_name != "run":
            return None
        from cloome_kedro.cli.kedro_run import command

        return command()


#: Kedro asks each project for this group
cli = KedroGroup("cloome")


def configure() -> str:
    """Make Kedro use this package's settings and pipelines; return the name of the package."""
    from kedro.framework.project import configure_project

    package = Path(__file__).parents[1].name
    configure_project(package)
    return package


def is_interactive() -> bool:
    """Whether Python runs interactively, where a command must not end the process."""
    return hasattr(sys, "ps1")


def __getattr__(name: str) -> Any:
    """Give Kedro the command ``run``, which it looks for in this module."""
    if name == "run":
        from cloome_kedro.cli.kedro_run import command

        return command()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

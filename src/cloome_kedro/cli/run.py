"""``cloome run``: the command ``kedro run`` of this project, with the same options."""

from typing import cast

import click

from cloome_kedro.cli import configure


def command() -> click.Command:
    """Find the project's ``run`` command."""
    from kedro.framework.cli.utils import find_run_command

    return cast(click.Command, find_run_command(configure()))

"""``cloome run``: the command ``kedro run`` of this project, with the same options."""

from typing import cast

import click

from cloome_kedro.cli import configure


def command() -> click.Command:
    """Find the command ``run``: that of a plugin of Kedro if one has it, otherwise Kedro's own."""
    from kedro.framework.cli.project import run
    from kedro.framework.cli.utils import load_entry_points

    configure()
    of_plugins = [group.commands["run"] for group in load_entry_points("project") if "run" in group.commands]
    return cast(click.Command, of_plugins[0] if of_plugins else run)

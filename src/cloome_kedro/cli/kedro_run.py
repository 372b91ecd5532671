"""``cloome run`` and ``kedro run``: Kedro's command with a runner of this project, and one more option for it."""

import functools
from copy import copy
from typing import Any, cast

import click

from cloome_kedro.cli import configure

#: options with which the chosen nodes are never skipped
_AS_ASKED = ("node_names", "from_nodes", "from_inputs", "only_missing_outputs")
_HELP = (
    "Run all nodes. By default, nodes are skipped if their code, parameters, inputs and outputs have not changed since "
    "they last ran. Nodes that --nodes, --from-nodes or --from-inputs name are never skipped."
)


def command() -> click.Command:
    """Make the command ``run`` from that of a plugin of Kedro if one has it, otherwise from Kedro's own."""
    from kedro.framework.cli.project import run
    from kedro.framework.cli.utils import load_entry_points

    configure()
    of_plugins = [group.commands["run"] for group in load_entry_points("project") if "run" in group.commands]
    return _skipping(cast(click.Command, of_plugins[0] if of_plugins else run))


def _skipping(run: click.Command) -> click.Command:
    """Add ``--fresh`` to a command ``run``. Without it, the runner is one that skips nodes. A user's runner is kept."""
    callback = run.callback
    assert callback is not None

    @functools.wraps(callback)
    def called(*arguments: Any, fresh: bool, **options: Any) -> Any:
        if not options.get("runner"):
            skips = not fresh and not any(map(options.get, _AS_ASKED))
            options["runner"] = f"cloome_kedro.runner.{'SkippingRunner' if skips else 'SplitRunner'}"
        return callback(*arguments, **options)

    changed = copy(run)
    changed.callback = called
    changed.params = [*run.params, click.Option(["--fresh"], is_flag=True, help=_HELP)]
    return changed

"""``cloome`` and ``python -m cloome_kedro``: ``kedro run`` with the same options, from the project's folder."""

import sys
from pathlib import Path

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args, **kwargs):
    """Run the project's ``run`` command.

    Returns
    -------
    whatever the command returns; in a shell the process ends with its exit status.
    """
    package = Path(__file__).parent.name
    configure_project(package)
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package)(*args, **kwargs)


if __name__ == "__main__":
    main()

"""The commands ``cloome`` and ``python -m cloome_kedro``.

They are ``kedro run`` with the same options. Start them in the project's folder.
"""

import sys
from pathlib import Path

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args, **kwargs):
    """Run the project's ``run`` command.

    Returns
    -------
    The result of the command, in an interactive Python session. In a shell, the process ends with the command's exit
    status.
    """
    package = Path(__file__).parent.name
    configure_project(package)
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package)(*args, **kwargs)


if __name__ == "__main__":
    main()

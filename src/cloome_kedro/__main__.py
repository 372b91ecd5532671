"""The commands ``cloome`` and ``python -m cloome_kedro``; see :mod:`cloome_kedro.cli`."""

import sys

from cloome_kedro.cli import cloome, is_interactive


def main(*args, **kwargs):
    """Run a command.

    Without arguments, the project's default pipeline is run.

    Returns
    -------
    The result of the command, in an interactive Python session. In a shell, the process ends with the command's exit
    status.
    """
    arguments = list(kwargs.pop("args", args[0] if args else None) or sys.argv[1:])
    kwargs.setdefault("standalone_mode", not is_interactive())
    return cloome(arguments or ["run"], *args[1:], prog_name=kwargs.pop("prog_name", "cloome"), **kwargs)


if __name__ == "__main__":
    main()

"""What made a result: date, commit, versions of packages, and device."""

import os
import platform
import subprocess
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: distributions whose versions can change results
PACKAGES = (
    *("cloome-kedro", "kedro", "torch", "torchvision", "lightning-fabric", "numpy", "pandas", "scipy"),
    *("scikit-learn", "rdkit"),
)


def now() -> str:
    """Date and time with the offset of the local time zone, to the minute.

    Examples
    --------
    >>> import re
    >>> bool(re.fullmatch(r"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d[+-]\\d\\d:\\d\\d", now()))
    True
    """
    return datetime.now().astimezone().isoformat(" ", "minutes")


def commit(folder: Path | str = ".") -> str:
    """Describe the git commit of a folder.

    Parameters
    ----------
    folder
        A folder of the working tree.

    Returns
    -------
    str
        The hash, and whether the working tree is clean or modified, such as ``0a1b2c3d4e5f (clean)``. Files that git
        does not track do not count, because results are among them. Empty if the folder is in no repository, if the
        repository has no commit, or if git is not installed.
    """
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not head:
        return ""
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return head if status is None else f"{head} ({'modified' if status else 'clean'})"


def _git(folder: Path | str, *arguments: str) -> str | None:
    """Output of git, or None if it fails. It takes no lock, so that it cannot disturb a command of the user."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Get the version of Python and of each of :data:`PACKAGES` that is installed.

    Examples
    --------
    >>> list(versions())[:2]
    ['Python', 'cloome-kedro']
    """
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def device(accelerator: str = "auto") -> str:
    """Describe the device that models use on this machine, such as ``NVIDIA H200 (cuda)`` or ``CPU, x86_64, 8 cores``.

    Parameters
    ----------
    accelerator
        Accelerator of the fit: auto, cpu, cuda, ...
    """
    import torch

    from cloome_kedro.learning.embed import find_device

    found = find_device(accelerator)
    if found.type == "cuda":
        return f"{torch.cuda.get_device_name(found)} (cuda)"
    if found.type == "cpu":
        return f"CPU, {platform.machine()}, {os.cpu_count()} cores"
    return found.type

"""One writer at a time for each part of the results, and the parameters with which each part was last written."""

import json
import logging
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cloome_kedro.atomic import replace_file

_log = logging.getLogger(__name__)

#: layers of data/ that all variants and seeds of a screen share; the paths of later layers contain both
_SHARED = ("01_", "02_", "03_", "04_", "05_")


@dataclass(frozen=True)
class Results:
    """Results that only one run at a time may write.

    Attributes
    ----------
    screen, variant, seed
        What the results are of. ``variant`` is empty for the tables and images of a screen, which all variants share.
    namespace
        Namespace of the datasets, such as ``random.cloome``; empty for datasets without one.
    """

    screen: str
    variant: str
    seed: int
    namespace: str

    def __str__(self) -> str:
        place = f"the screen {self.screen}"
        if self.variant:
            place = f"the variant {self.variant}, seed {self.seed}, of {place}"
        return f"{self.namespace} of {place}" if self.namespace else place

    def path(self, folder: Path, suffix: str) -> Path:
        """Path of a file about these results."""
        place = folder / self.screen
        if self.variant:
            place = place / self.variant / f"seed_{self.seed}"
        return place / f"{self.namespace or 'all'}{suffix}"


def results_of(
    outputs: Mapping[str, str], data: Path, screen: str, variant: str, seed: int
) -> dict[Results, list[str]]:
    """Group the datasets that a run writes.

    Parameters
    ----------
    outputs
        Name of each dataset that is written -> path of its file.
    data
        Folder of all layers.
    screen, variant, seed
        The names that paths of results contain.

    Returns
    -------
    Results -> names of their datasets. Results of a search and tables over several seeds are left out, since several
    runs may write them.
    """
    groups: dict[Results, list[str]] = {}
    for name, path in sorted(outputs.items()):
        parts = Path(path).relative_to(data).parts if Path(path).is_relative_to(data) else _SHARED
        if parts[0].startswith(_SHARED):
            results = Results(screen, "", 0, name.rpartition(".")[0])
        elif (variant, f"seed_{seed}") in pairwise(parts):
            results = Results(screen, variant, seed, name.rpartition(".")[0])
        else:
            continue
        groups.setdefault(results, []).append(name)
    return groups


def lock(folder: Path, results: Iterable[Results]) -> ExitStack:
    """Lock results, so that no other run writes them.

    The operating system removes the locks of a process that ends, also if it is killed.

    Parameters
    ----------
    folder
        Folder of the locks.
    results
        What is locked.

    Returns
    -------
    The locks. Closing them releases the results.

    Raises
    ------
    ValueError
        If another run has locked some of the results. Nothing is locked then.
    """
    from filelock import FileLock, Timeout

    with ExitStack() as locks:
        for each in sorted(results, key=str):
            path, owner = each.path(folder, ".lock"), each.path(folder, ".owner.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                locks.enter_context(FileLock(path, timeout=0))
            except Timeout:
                advice = (
                    "or give this run another variant or seed (--params variant=NAME)"
                    if each.variant
                    else "or run only the steps after featurization (--pipelines), which do not write the screen"
                )
                raise ValueError(
                    f"another run writes {each}{_description(owner)}. Wait until it has ended, {advice}"
                ) from None
            except NotImplementedError:
                _log.warning("%s is on a file system without locks: start no other run that writes %s", folder, each)
                continue
            owner.write_text(json.dumps(_this_process()))
        return locks.pop_all()


def _this_process() -> dict[str, Any]:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    now = datetime.now().astimezone().isoformat(" ", "minutes")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": now, "command": command}


def _description(owner: Path) -> str:
    """Text about the process that holds a lock; empty if its file is not written yet."""
    try:
        about = json.loads(owner.read_text())
        return f" (process {about['process']} on {about['machine']} since {about['since']}: {about['command']})"
    except (OSError, ValueError, KeyError):
        return ""


def changes(before: Any, after: Any, name: str, ignored: Iterable[str]) -> list[str]:
    """Say which settings have changed, one text per setting.

    >>> changes({"draws": 10, "n_jobs": 1}, {"draws": 3, "n_jobs": 2}, "retrieval", ["n_jobs"])
    ['retrieval.draws is 3, was 10']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            text
            for key in dict.fromkeys([*before, *after])
            if key not in ignored
            for text in changes(before.get(key), after.get(key), f"{name}.{key}", ignored)
        ]
    return [] if before == after else [f"{name} is {json.dumps(after)}, was {json.dumps(before)}"]


def replacement(results: Results, replaced: Sequence[str]) -> str:
    """Text about results that a run with other parameters replaces."""
    advice = (
        "To keep them, stop the run and add --params variant=NAME"
        if results.variant
        else "All variants of the screen share them"
    )
    return (
        f"since the results of {results} were written. This run replaces {len(replaced)} of these and later results, "
        f"such as {', '.join(replaced[:3])}. {advice}"
    )


def read_parameters(folder: Path, results: Results) -> dict[str, Any]:
    """Parameters with which results were last written: group -> values. Empty if that is not known."""
    try:
        return json.loads(results.path(folder, ".parameters.json").read_text())
    except (OSError, ValueError):
        return {}


def write_parameters(folder: Path, results: Results, parameters: Mapping[str, Any]) -> None:
    """Save the parameters with which results are written. Groups of earlier runs that are not given stay."""
    with replace_file(results.path(folder, ".parameters.json")) as part:
        part.write_text(json.dumps({**read_parameters(folder, results), **parameters}, indent=1, sort_keys=True))

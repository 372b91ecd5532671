"""States of files and datasets: what tells cheaply whether a file has changed."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

#: state of a dataset that does not exist
MISSING = "missing"
#: packages whose datasets lie in the file that is their ``filepath``. Other datasets may depend on anything.
_KNOWN = ("cloome_kedro.", "kedro_datasets.")


def digest(content: Any) -> str:
    """SHA-256 of a JSON value, as 16 hexadecimal digits. Other values count by their ``repr``."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def state(paths: Iterable[Path]) -> str:
    """Digest of names, sizes and times of modification of files.

    Parameters
    ----------
    paths
        Files and folders. A folder stands for all files in it and below, except those whose names begin with a dot.

    Returns
    -------
    str
        16 hexadecimal digits, or ``MISSING`` if none of the paths exists.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     before = state([Path(folder)])
    ...     _ = Path(folder, "a.csv").write_text("a")
    ...     before == state([Path(folder)]), state([Path(folder, "b.csv")])
    (False, 'missing')
    """
    paths = list(paths)
    if not any(path.exists() for path in paths):
        return MISSING
    return digest([[path.name, sorted(_files(path))] for path in paths])


class RememberedStates:
    """States that are asked for only once, until something writes into their paths.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     states, before = RememberedStates(), state([Path(folder)])
    ...     first = states.of([Path(folder)])
    ...     file = Path(folder, "a.csv")
    ...     _ = file.write_text("a")
    ...     remembered = states.of([Path(folder)])
    ...     states.forget([file])
    ...     first == remembered == before, states.of([Path(folder)]) == before
    (True, False)
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Path, ...], str] = {}

    def of(self, paths: Iterable[Path]) -> str:
        """State of files and folders, see :func:`state`, as it was when it was first asked for."""
        key = tuple(map(Path, paths))
        if key not in self._known:
            self._known[key] = state(key)
        return self._known[key]

    def forget(self, paths: Iterable[Path] | None) -> None:
        """Forget the states of all that these files and folders contain, are or lie in; of None: all states."""
        written = None if paths is None else [Path(path).absolute() for path in paths]
        self._known = {key: found for key, found in self._known.items() if not _overlap(key, written)}


def _overlap(some: Iterable[Path], others: list[Path] | None) -> bool:
    if others is None:
        return True
    return any(
        path.is_relative_to(other) or other.is_relative_to(path)
        for path in (path.absolute() for path in some)
        for other in others
    )


def _files(path: Path) -> Iterator[tuple[str, int, int]]:
    """Relative path, size and time of modification of each file."""
    if not path.is_dir():
        if path.exists():
            yield "", *stamp(os.stat(path))
        return
    seen: set[tuple[int, int]] = set()
    for folder, names, files in os.walk(path, followlinks=True):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:  # a link to a folder above
            names.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        names[:] = [name for name in names if not name.startswith(".")]
        place = os.path.relpath(folder, path)
        for name in files:
            if not name.startswith("."):
                try:
                    yield f"{place}/{name}", *stamp(os.stat(f"{folder}/{name}"))
                except FileNotFoundError:  # a link to nothing, or a file that was removed just now
                    yield f"{place}/{name}", -1, -1


def stamp(about: os.stat_result) -> tuple[int, int]:
    """Size and time of modification of a file."""
    return about.st_size, about.st_mtime_ns


def places(dataset: Any) -> list[Path] | None:
    """Return the files and folders of a dataset, or None if they are unknown.

    A dataset of several files has a method ``places``, which returns them. The ones of a user are only known by it.
    """
    if hasattr(dataset, "places"):
        return dataset.places()
    path = getattr(dataset, "_filepath", None)
    is_local = getattr(dataset, "_protocol", "file") == "file" and getattr(dataset, "_version", None) is None
    if not isinstance(path, PurePath) or not is_local or not type(dataset).__module__.startswith(_KNOWN):
        return None
    return [Path(path)]

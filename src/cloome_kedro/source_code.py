"""The code that makes results: whether it is the code of an earlier run."""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloome_kedro.file_states import digest, stamp
from cloome_kedro.provenance import versions


@dataclass(frozen=True)
class SourceCode:
    """This package, the ``src`` of the project, and the modules of the user.

    Attributes
    ----------
    folders
        Folders of source files, and single files.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, project: Path, modules: Sequence[str] = ()) -> "SourceCode":
        """Find the code of a project.

        Parameters
        ----------
        project
            Folder of the project.
        modules
            Modules of the user, which are imported already.
        """
        found = [Path(__file__).parent, project / "src"]
        for name in modules:
            if file := getattr(sys.modules.get(name), "__file__", None):
                found.append(Path(file).parent if Path(file).stem == "__init__" else Path(file))
        paths = dict.fromkeys(path.resolve() for path in found)
        return cls(tuple(path for path in paths if not any(parent in paths for parent in path.parents)))

    def digest(self) -> str:
        """Digest of the content of all files, and of the versions of the packages that compute."""
        content = hashlib.sha256()
        for path in self._files():
            content.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest([content.hexdigest(), versions()])

    def state(self) -> str:
        """State of the files: it changes when a file is edited, added or removed. A run asks for it after each node."""
        return digest(sorted([path, *stamp(os.stat(path))] for path in self._paths()))

    def _files(self) -> list[Path]:
        return sorted(map(Path, self._paths()))

    def _paths(self) -> Iterator[str]:
        for place in self.folders:
            if not place.is_dir():
                yield str(place)
            for folder, names, files in os.walk(place):
                names[:] = [name for name in names if name != "__pycache__" and not name.endswith(".egg-info")]
                paths = [f"{folder}/{name}" for name in files if not name.startswith(".") and not name.endswith(".pyc")]
                yield from filter(os.path.isfile, paths)  # a link can lead to nothing

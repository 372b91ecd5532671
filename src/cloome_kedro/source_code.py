"""The code that makes results: whether it is the code of an earlier run."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloome_kedro.file_states import digest, state
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
        return cls(tuple(dict.fromkeys(path.resolve() for path in found)))

    def digest(self) -> str:
        """Digest of the content of all files, and of the versions of the packages that compute."""
        content = hashlib.sha256()
        for path in self._files():
            content.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest([content.hexdigest(), versions()])

    def state(self) -> str:
        """State of the files: it changes when a file is edited."""
        return state(self._files())

    def _files(self) -> Iterable[Path]:
        files = [
            path
            for folder in self.folders
            for path in (folder.rglob("*") if folder.is_dir() else [folder])
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
        ]
        return sorted({path for path in files if path.suffix != ".pyc" and ".egg-info" not in str(path)})

"""Kedro's configuration loader, faster, and for projects in folders whose names contain ``?``, ``*`` or ``[``."""

import re
from copy import deepcopy
from glob import has_magic
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate
from kedro.config import OmegaConfigLoader


class _Folder(LocalFileSystem):
    """The local files, with patterns below one folder whose own path is no pattern."""

    cachable = False

    def __init__(self, folder: str):
        super().__init__()
        self._folder = Path(folder)

    def glob(self, path: str, **options: Any) -> list[str]:
        """List files and folders. Only the part of ``path`` below the folder is a pattern."""
        pattern = re.compile(glob_translate(Path(path).relative_to(self._folder).as_posix()))
        return [
            str(found)
            for found in sorted(self._folder.rglob("*"))
            if pattern.match(found.relative_to(self._folder).as_posix())
        ]


class ConfigLoader(OmegaConfigLoader):
    """The loader of Kedro, for folders of any name, which reads the files of each kind of configuration once.

    Kedro's loader would take the whole path of a file as a pattern and find no file. It would also read all files again
    at each access, of which a run has about fifteen.
    """

    def __init__(self, *arguments: Any, **options: Any):
        self._loaded: dict[str, tuple[Any, dict[str, Any]]] = {}
        super().__init__(*arguments, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return a copy of the configuration of a kind, such as ``catalog``; callers may change it."""
        if key in self:  # it was set, not read
            return super().__getitem__(key)
        depends_on = self.env, self.runtime_params
        if key not in self._loaded or self._loaded[key][0] != depends_on:
            self._loaded[key] = deepcopy(depends_on), super().__getitem__(key)
        return deepcopy(self._loaded[key][1])

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (_Folder(conf_source) if protocol == "file" and has_magic(conf_source) else files), protocol

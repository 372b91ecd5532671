"""Kedro's configuration loader, also for projects in folders whose names contain ``?``, ``*`` or ``[``."""

import re
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
    """The loader of Kedro, which would take the whole path of a file as a pattern and find no file."""

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (_Folder(conf_source) if protocol == "file" and has_magic(conf_source) else files), protocol

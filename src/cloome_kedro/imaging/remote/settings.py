"""Settings of files on a server. This module needs only the standard library, like `cloome_kedro.imaging.config`."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class RemoteSettings:
    """How files on a server, such as ``s3://bucket/folder/image.tif``, are read.

    Attributes
    ----------
    cache
        Folder of the downloaded files. None: a folder of the system's temporary folder.
    gigabytes
        Size that the cache may have (1 GB is 10^9 bytes). The files that were not used for the longest time are removed
        first. Files that are being downloaded at this moment can exceed it.
    threads
        Files that one process downloads at the same time, while it decodes those before them.
    attempts
        How often a request is tried if the server or the network fails.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    cache: str | None = None
    gigabytes: float = 50.0
    threads: int = 8
    attempts: int = 5

    def __post_init__(self):
        if self.gigabytes <= 0:
            raise ValueError(f"remote: gigabytes must be above 0, is {self.gigabytes}")
        for name in ("threads", "attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"remote: {name} must be at least 1, is {getattr(self, name)}")

    @property
    def folder(self) -> Path:
        """Folder of the cache."""
        return Path(self.cache) if self.cache else Path(tempfile.gettempdir()) / "cloome_cache"

    @property
    def limit(self) -> int:
        """Largest size of the cache in bytes."""
        return int(self.gigabytes * 1e9)

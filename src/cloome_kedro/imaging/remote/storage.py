"""Requests to a server of files by fsspec: listings of folders and downloads, with clear errors."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: variables of the environment that give credentials; without them, access is anonymous
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
_FOLDERS = 16  # listings that are remembered; one of a plate has 10,000 files and more

#: size in bytes of a file, and a text that changes if its content changes
Stamp = tuple[int, str]


class RemoteError(OSError):
    """A server cannot be used: it refuses access, or does not answer. The message says what to do."""


@dataclass(frozen=True)
class Listing:
    """What a folder on a server contains.

    Attributes
    ----------
    files
        Stamp of each file, by its name.
    folders
        Names of the folders.
    """

    files: Mapping[str, Stamp] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()


class RemoteStorage:
    """The files of all buckets that one set of credentials can read.

    Parameters
    ----------
    options
        Options of the file system of fsspec, such as ``key``, ``secret``, ``profile`` and ``client_kwargs`` of s3fs.
        None: access is anonymous, unless variables of the environment such as ``AWS_ACCESS_KEY_ID`` or ``AWS_PROFILE``
        give credentials.
    attempts
        How often a request is tried.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, attempts: int = 5):
        self._options = options
        self._attempts = attempts
        self._systems: dict[str, Any] = {}
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._lock = threading.Lock()  # threads that need the same folder list it once

    def listing(self, folder: str) -> Listing:
        """List a folder by one request per 1,000 entries. A folder that does not exist is empty."""
        with self._lock:
            return self._list(folder.rstrip("/"))

    def is_listed(self, folder: str) -> bool:
        """Whether the listing of a folder is remembered."""
        return folder.rstrip("/") in self._listings

    def _list(self, folder: str) -> Listing:
        if folder in self._listings:
            self._listings.move_to_end(folder)
            return self._listings[folder]
        try:
            with _clear_errors(folder):
                entries = self._system(folder).ls(folder, detail=True)
        except FileNotFoundError:
            entries = []
        prefix = _key(folder) + "/"
        files, folders = {}, set()
        for entry in entries:
            name = entry["name"].removeprefix(prefix).rstrip("/")
            if not entry["name"].startswith(prefix) or not name:
                continue
            if entry["type"] == "directory":
                folders.add(name)
            else:
                files[name] = _stamp(entry)
        listing = self._listings[folder] = Listing(files, frozenset(folders))
        while len(self._listings) > _FOLDERS:
            self._listings.popitem(last=False)
        return listing

    def find(self, folder: str) -> dict[str, Stamp]:
        """Stamps of all files below a folder, by their paths relative to it; by one request per 1,000 files."""
        folder = folder.rstrip("/")
        with _clear_errors(folder):
            entries = self._system(folder).find(folder, detail=True)
        prefix = _key(folder) + "/"
        return {path.removeprefix(prefix): _stamp(entry) for path, entry in entries.items() if not path.endswith("/")}

    def stamp(self, address: str) -> Stamp | None:
        """Stamp of a file; None if there is no such file. The folder is listed, not the file alone."""
        folder, _, name = address.rpartition("/")
        return self.listing(folder).files.get(name)

    def download(self, address: str, path: Path) -> None:
        """Write a file to a path on the disk, with new attempts if the connection ends too early.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        RemoteError
            If the server refuses access or does not answer.
        """
        with _clear_errors(address):
            self._system(address).get_file(address, str(path))

    def _system(self, address: str) -> Any:
        protocol = address.partition("://")[0]
        if protocol not in self._systems:
            self._systems[protocol] = self._connect(address)
        return self._systems[protocol]

    def _connect(self, address: str) -> Any:
        protocol = address.partition("://")[0]
        try:
            import fsspec

            filesystem = fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            advice = "install the extra s3: pip install 'cloome-kedro[s3]'" if protocol in ("s3", "s3a") else str(error)
            raise ModuleNotFoundError(f"files of {protocol}:// cannot be read: {advice}") from error
        except ValueError as error:
            raise RemoteError(f"there is no file system for {address}; use s3://") from error
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True, **(self._options or {})}
        if protocol in ("s3", "s3a"):
            if self._options is None and not any(os.environ.get(name) for name in _CREDENTIALS):
                options["anon"] = True
            retries = {"retries": {"max_attempts": self._attempts, "mode": "standard"}}
            options["config_kwargs"] = {**retries, **options.get("config_kwargs", {})}
        system = filesystem(**options)
        system.retries = 2  # s3fs: of requests that botocore has given up, and of connections that end too early
        return system


def _key(address: str) -> str:
    """Bucket and path of an address."""
    return address.partition("://")[2]


def _stamp(entry: Mapping[str, Any]) -> Stamp:
    content = entry.get("ETag") or entry.get("LastModified") or entry.get("mtime") or ""
    return int(entry["size"] or 0), str(content).strip('"')


@contextmanager
def _clear_errors(address: str) -> Iterator[None]:
    bucket = "/".join(address.split("/")[:3])
    try:
        yield
    except PermissionError as error:
        raise RemoteError(
            f"{bucket} refuses access to {address}: {error}. Access without credentials is possible to public buckets "
            "only. For others, set `credentials` of the entry in the catalog, or AWS_PROFILE"
        ) from error
    except FileNotFoundError as error:
        if "specified bucket" in str(error):
            raise RemoteError(f"there is no bucket {bucket}: correct the address {address}") from error
        raise
    except (ModuleNotFoundError, RemoteError):
        raise
    except Exception as error:  # botocore, aiohttp and the operating system raise many types
        name = type(error).__name__
        if "Credentials" in name or "Profile" in name:
            raise RemoteError(f"{address} needs credentials: {error}") from error
        raise RemoteError(
            f"{address} cannot be read: {name}: {error}. Check the network, and run again: what has been downloaded "
            "is kept"
        ) from error

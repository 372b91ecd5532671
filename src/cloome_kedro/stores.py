"""Parquet files with a digest of what they were made from, so that outdated files are recognised."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cloome_kedro.atomic import replace_file

_DIGEST, _NOTES = b"digest", b"notes"


class DamagedFile(ValueError):
    """A stored file cannot be read, or does not hold what it should hold. The message names it."""


def digest_of(*content: Any) -> str:
    """SHA-256 of JSON values, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_table(path: Path, table: pd.DataFrame | pa.Table, digest: str, notes: dict[str, Any] | None = None) -> None:
    """Write a table as parquet. The digest and further JSON values (``notes``) go into the metadata of the file."""
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    metadata = {_DIGEST: digest.encode(), _NOTES: json.dumps(notes or {}).encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), path, write_page_checksum=True)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table, or only some of its columns.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFile
        If the file is not a readable parquet file with these columns.
    """
    try:
        columns = None if columns is None else list(columns)
        return pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged footer or page can raise any type
        raise DamagedFile(
            f"{path} is damaged ({_first_line(error)}): delete it, and run the pipeline that writes it again"
        ) from error


def read_digest(path: Path) -> str | None:
    """Digest in the metadata of a file; None if the file is missing or damaged, or does not contain a digest."""
    return _metadata(path).get(_DIGEST, b"").decode(errors="replace") or None


def read_notes(path: Path) -> dict[str, Any]:
    """Notes in the metadata of a file; empty if the file is missing or damaged, or does not contain notes."""
    try:
        notes = json.loads(_metadata(path).get(_NOTES, b"{}"))
    except ValueError:
        return {}
    return notes if isinstance(notes, dict) else {}


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_metadata(path).metadata or {}
    except PermissionError:
        raise
    except Exception:  # missing, or a damaged footer, which can raise any type
        return {}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@dataclass(frozen=True)
class TableStore:
    """Folder of tables ``<name>.parquet``. Each file's metadata has the digest of what the table was made from."""

    folder: Path

    def path(self, name: str) -> Path:
        """Path of a table."""
        return self.folder / f"{name}.parquet"

    def digest(self, name: str) -> str | None:
        """Digest of what the table was made from; None if the table is missing or damaged."""
        return read_digest(self.path(name))

    def is_current(self, name: str, digest: str) -> bool:
        """Whether the whole table can be read, and was made from what has this digest."""
        if self.digest(name) != digest:
            return False
        try:
            read_table(self.path(name))
        except (FileNotFoundError, DamagedFile):
            return False
        return True

    def columns(self, name: str) -> list[str]:
        """Names of the table's columns."""
        return pq.read_schema(self.path(name)).names

    def read(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the table, or only some of its columns; see `read_table`."""
        return read_table(self.path(name), columns).to_pandas()

    def write(self, name: str, table: pd.DataFrame | pa.Table, digest: str) -> None:
        """Write the table, which replaces an older one as a whole."""
        with replace_file(self.path(name)) as part:
            write_table(part, table, digest)

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


def digest_of(*content: Any) -> str:
    """SHA-256 of JSON values, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_table(path: Path, table: pd.DataFrame | pa.Table, digest: str, notes: dict[str, Any] | None = None) -> None:
    """Write a table as parquet. The digest and further JSON values (``notes``) go into the metadata of the file."""
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    metadata = {_DIGEST: digest.encode(), _NOTES: json.dumps(notes or {}).encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), path)


def read_digest(path: Path) -> str | None:
    """Digest in the metadata of a file; None if the file is missing or damaged, or does not contain a digest."""
    return _metadata(path).get(_DIGEST, b"").decode() or None


def read_notes(path: Path) -> dict[str, Any]:
    """Notes in the metadata of a file; empty if the file is missing or damaged, or does not contain notes."""
    return json.loads(_metadata(path).get(_NOTES, b"{}"))


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_metadata(path).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        return {}


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

    def columns(self, name: str) -> list[str]:
        """Names of the table's columns."""
        return pq.read_schema(self.path(name)).names

    def read(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the table, or only some of its columns."""
        return pq.read_table(self.path(name), columns=columns).to_pandas()

    def write(self, name: str, table: pd.DataFrame | pa.Table, digest: str) -> None:
        """Write the table, which replaces an older one as a whole."""
        with replace_file(self.path(name)) as part:
            write_table(part, table, digest)

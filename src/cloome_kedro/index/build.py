"""Build an index, or add what is new to it."""

import json
import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cloome_kedro.atomic import replace_file
from cloome_kedro.index import layout
from cloome_kedro.index.content import Content
from cloome_kedro.index.lance import condition, connect
from cloome_kedro.index.neighbours import describe_search, familiar_similarity
from cloome_kedro.index.thumbnails import encode

logger = logging.getLogger(__name__)

_ROWS = 2048  # rows that are written at a time
#: facts of an index that need a new one if they change
_IDENTITY = ("weights", "embedding_size", "normalised", "thumbnail_side", "uri")
_TOLERANCE = 1e-4  # relative to the length of a vector: the same model on another machine or in other batches


def update(folder: Path, content: Content) -> dict[str, dict[str, int]]:
    """Build the index of a content in a folder.

    If the folder has an index of the same model, rows with equal metadata and vectors stay as they are. Others are
    added, replaced or removed. Otherwise the index is built anew. An interrupted build is continued by the next one.

    Parameters
    ----------
    folder
        Folder of the index.
    content
        What the index is made from.

    Returns
    -------
    dict
        Kind of rows -> number of rows that are ``kept``, ``added``, ``replaced`` and ``removed``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = {
        "format": layout.FORMAT,
        **content.info,
        "embedding_size": int(content.field_vectors.shape[1]),
        "metric": "cosine" if content.info["normalised"] else "dot",
        "uri": content.uri,
    }
    before = _read_info(folder)
    reasons = _differences(before, info)
    if before is not None and reasons:
        logger.warning("index: built anew, because these facts changed: %s", ", ".join(reasons))
    database = connect(content.uri or folder / layout.LANCE_FOLDER)
    if before is None or reasons:
        (folder / layout.INDEX_FILE).unlink(missing_ok=True)
        for kind in layout.KINDS:
            database.drop_table(kind, ignore_missing=True)
        shutil.rmtree(folder / layout.MODEL_FOLDER, ignore_errors=True)
        _write_info(folder, {**info, "complete": False})
    for name in layout.TABLES:
        with replace_file(folder / f"{name}.parquet") as part:
            content.tables.get(name, pd.DataFrame()).to_parquet(part)
    if content.save_model is not None and not (folder / layout.MODEL_FOLDER).is_dir():
        content.save_model(folder / layout.MODEL_FOLDER)
    changes, vectors = {}, {}
    for kind, (rows, values) in content.rows().items():
        table = _open(database, kind, info["embedding_size"])
        changes[kind] = _update_table(table, kind, rows, values, content)
        vectors[kind] = values
        logger.info(
            "index, %s: %s", kind, ", ".join(f"{number:,} {what}" for what, number in changes[kind].items() if number)
        )
    info["counts"] = {kind: len(values) for kind, values in vectors.items()}
    info["thumbnail"] = _thumbnail_size(content)
    info["search"] = {
        kind: describe_search(database.open_table(kind), kind, vectors, info["metric"], content)
        for kind in layout.KINDS
    }
    info["familiar"] = {kind: familiar_similarity(vectors[kind]) for kind in layout.KINDS}
    _write_info(folder, {**info, "complete": True, "built": datetime.now(UTC).isoformat(timespec="seconds")})
    return changes


def _read_info(folder: Path) -> dict[str, Any] | None:
    try:
        info = json.loads((folder / layout.INDEX_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return info if isinstance(info, dict) else None


def _write_info(folder: Path, info: dict[str, Any]) -> None:
    with replace_file(folder / layout.INDEX_FILE) as part:
        part.write_text(json.dumps(info, indent=1) + "\n")


def _differences(before: dict[str, Any] | None, info: dict[str, Any]) -> list[str]:
    if before is None:
        return []
    if before.get("format") != layout.FORMAT:
        return ["format"]
    return [name for name in _IDENTITY if before.get(name) != info.get(name)]


def _open(database: Any, kind: str, size: int) -> Any:
    try:
        return database.open_table(kind)
    except (ValueError, FileNotFoundError):
        return database.create_table(kind, schema=layout.schema_of(kind, size))


def _update_table(table: Any, kind: str, rows: pd.DataFrame, vectors: np.ndarray, content: Content) -> dict[str, int]:
    """Make a table equal to some rows and vectors; return the numbers of changes."""
    key = layout.KEYS[kind]
    rows = rows.reset_index(drop=True)
    same, known, removed = _compare(table, kind, rows, vectors)
    outdated = [*rows.loc[known & ~same, key], *removed]
    for start in range(0, len(outdated), 500):
        table.delete(condition(key, outdated[start : start + 500]))
    missing = np.flatnonzero(~same)
    if len(missing):
        # Each batch is added by itself: what is there when a build is interrupted stays.
        for batch in _batches(kind, table.schema, rows, vectors, missing, content):
            table.add(pa.Table.from_batches([batch]))
    if len(missing) or outdated:
        table.optimize()
    return {
        "kept": int(same.sum()),
        "added": int((~known).sum()),
        "replaced": int((known & ~same).sum()),
        "removed": len(removed),
    }


def _compare(
    table: Any, kind: str, rows: pd.DataFrame, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Which rows the table already has, which keys it knows, and keys that it has in excess."""
    key, same, known = layout.KEYS[kind], np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    position, removed = pd.Index(rows[key]), list[str]()
    if not table.count_rows():
        return same, known, removed
    columns = list(layout.COLUMNS[kind])
    for batch in table.search().select([*columns, layout.VECTOR]).limit(table.count_rows()).to_batches(_ROWS):
        stored = batch.to_pandas()
        at = position.get_indexer(pd.Index(stored[key]))
        removed += stored.loc[at < 0, key].tolist()
        stored, at = stored[at >= 0], at[at >= 0]
        if not len(at):
            continue
        wanted = rows.iloc[at]
        equal = np.ones(len(at), bool)
        for name in columns:
            first, second = stored[name].astype(object).to_numpy(), wanted[name].astype(object).to_numpy()
            equal &= (first == second) | (pd.isna(first) & pd.isna(second))
        difference = np.abs(np.stack(stored[layout.VECTOR]) - vectors[at]).max(axis=1)
        equal &= difference <= _TOLERANCE * np.maximum(np.linalg.norm(vectors[at], axis=1), 1e-12)
        known[at], same[at] = True, equal
    return same, known, removed


def _batches(
    kind: str, schema: pa.Schema, rows: pd.DataFrame, vectors: np.ndarray, positions: np.ndarray, content: Content
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(positions), _ROWS):
        at = positions[start : start + _ROWS]
        part = rows.iloc[at]
        columns = {
            name: pa.array(part[name].astype(object).where(part[name].notna(), None), type_, from_pandas=True)
            for name, type_ in layout.COLUMNS[kind].items()
        }
        if kind == layout.FIELDS:
            images = None if content.read_thumbnails is None else content.read_thumbnails(part["field_id"].to_numpy())
            data = [None] * len(at) if images is None else [encode(image) for image in images]
            columns[layout.THUMBNAIL] = pa.array(data, pa.binary())
        flat = pa.array(np.ascontiguousarray(vectors[at]).reshape(-1), pa.float32())
        columns[layout.VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _thumbnail_size(content: Content) -> list[int] | None:
    if content.read_thumbnails is None or not len(content.fields):
        return None
    return list(content.read_thumbnails(content.fields["field_id"].to_numpy()[:1]).shape[2:])

"""Metadata of OME-Zarr (NGFF): JSON files of plates, wells, images and arrays.

NGFF 0.4 is stored in Zarr 2 (``.zattrs``, ``.zarray``), NGFF 0.5 in Zarr 3 (``zarr.json``). This module reads no chunks
and does not need tensorstore.

Formats: https://ngff.openmicroscopy.org/0.4/, https://ngff.openmicroscopy.org/0.5/,
https://zarr-specs.readthedocs.io/en/latest/specs.html
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

#: bytes of the largest file of metadata that is read
_LARGEST = 64 << 20

#: codecs of numbers and of chunks. Any other codec is refused: ``pickle``, for example, can run code when it is read.
_CODECS = {
    *("bytes", "transpose", "sharding_indexed"),
    *("blosc", "zlib", "gzip", "bz2", "lzma", "zstd", "lz4", "lzf"),
    *("shuffle", "bitshuffle", "delta", "fixedscaleoffset", "packbits"),
    *("crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"),
}
_NUMBERS = re.compile(r"(u?int|float|[uif])\d+")
_TYPES = {"u1": "uint8", "u2": "uint16"}


@dataclass(frozen=True)
class ArrayFacts:
    """Facts about a Zarr array of images.

    Attributes
    ----------
    shape
        All dimensions. The last two are height and width.
    chunk
        Shape of a chunk. In a sharded array, it is the shape of a chunk within a shard.
    dtype
        ``uint8``, ``uint16`` or another type of numbers.
    fill_value
        Value of pixels whose chunk is not stored.
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str
    fill_value: float


def read_attributes(group: Path) -> dict[str, Any] | None:
    """NGFF metadata of a group, such as ``plate``, ``well`` or ``multiscales``; None if the folder is not a group.

    Raises
    ------
    ValueError
        If the file of metadata is not JSON, or not a JSON object.
    """
    if (content := _read_json(group / "zarr.json")) is not None:
        attributes = content.get("attributes", {})
        return _object(_object(attributes, group / "zarr.json").get("ome", attributes), group / "zarr.json")
    if (content := _read_json(group / ".zattrs")) is not None:
        return content
    return {} if (group / ".zgroup").is_file() else None


def child(group: Path, path: object) -> Path:
    """Folder that metadata of ``group`` name by a relative path.

    Raises
    ------
    ValueError
        If the path is not a text, is absolute, or leaves the group.

    Examples
    --------
    >>> child(Path("P1.zarr"), "B/02").as_posix()
    'P1.zarr/B/02'
    >>> child(Path("P1.zarr"), "../other.zarr/B/02")
    Traceback (most recent call last):
    ValueError: the path '../other.zarr/B/02' in the metadata of P1.zarr leaves this folder, so it is not read
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts if isinstance(path, str) else ()
    if not parts:
        raise ValueError(f"the metadata of {group} have a path {path!r}, which names no folder")
    if ".." in parts or parts[0] == "/" or ":" in parts[0]:
        raise ValueError(f"the path {path!r} in the metadata of {group} leaves this folder, so it is not read")
    return group.joinpath(*parts)


def read_array_facts(array: Path) -> ArrayFacts:
    """Read shape, chunks and type of an array, and check that it holds numbers.

    Raises
    ------
    ValueError
        If the folder is not an array, its metadata are bad, it does not hold numbers, or if a codec is not in the list
        of codecs that are safe to decode.
    """
    if (content := _read_json(array / "zarr.json")) is not None:
        if content.get("node_type") != "array":
            raise ValueError(
                f"{array} is not a Zarr array but a {content.get('node_type', 'folder without node_type')}"
            )
        codecs = _codecs(content.get("codecs"))
        grid = _part(content.get("chunk_grid"), "configuration").get("chunk_shape")
        inner = next((shape for name, shape in codecs if name == "sharding_indexed" and shape is not None), grid)
        names, chunk, dtype = [name for name, _ in codecs], inner, content.get("data_type")
    elif (content := _read_json(array / ".zarray")) is not None:
        filters = content.get("filters") or []
        parts = [*(filters if isinstance(filters, list) else [filters]), content.get("compressor")]
        names = [str(_part(part).get("id", part)) for part in parts if part is not None]
        chunk, dtype = content.get("chunks"), str(content.get("dtype")).lstrip("<>|=")
        dtype = _TYPES.get(dtype, dtype)
    else:
        raise ValueError(f"there is no Zarr array {array}: it has neither .zarray nor zarr.json")
    if not isinstance(dtype, str) or not _NUMBERS.fullmatch(dtype):
        raise ValueError(f"{array} has the type {dtype!r}; only arrays of numbers are read")
    if unsafe := [name for name in names if name.removeprefix("numcodecs.").lower() not in _CODECS]:
        raise ValueError(f"{array} has the codec {unsafe[0]}, which is not read. Save it with blosc, zstd or gzip")
    shape = _sizes(content.get("shape"), array, "shape")
    chunk = _sizes(chunk, array, "chunks")
    if len(shape) < 2 or len(chunk) != len(shape) or 0 in (*shape, *chunk):
        raise ValueError(f"{array} has the shape {shape} and chunks of {chunk}; images of two dimensions are needed")
    fill_value = content.get("fill_value")
    return ArrayFacts(shape, chunk, dtype, fill_value if isinstance(fill_value, int | float) else 0)


def leading_planes(shape: tuple[int, ...]) -> int:
    """Number of two-dimensional images of an array."""
    return math.prod(shape[:-2])


def _codecs(entries: object) -> list[tuple[str, object]]:
    """Name of each codec of Zarr 3, also of those within shards, and the shape of chunks within shards."""
    codecs: list[tuple[str, object]] = []
    for entry in entries if isinstance(entries, list) else []:
        name = entry if isinstance(entry, str) else str(_part(entry).get("name"))
        settings = _part(entry, "configuration")
        codecs.append((name, settings.get("chunk_shape")))
        codecs += _codecs(settings.get("codecs")) + _codecs(settings.get("index_codecs"))
    return codecs


def _part(value: object, key: str | None = None) -> dict[str, Any]:
    """A JSON object, or the object under one of its keys; an empty one if it is something else."""
    part = value.get(key) if key and isinstance(value, dict) else value
    return part if isinstance(part, dict) else {}


def _sizes(values: object, array: Path, what: str) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(isinstance(value, int) and value >= 0 for value in values):
        raise ValueError(f"the metadata of {array} have the {what} {values!r}; whole numbers are needed")
    return tuple(values)


def _read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file, or None if there is no such file."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"{path} is too large: at most {_LARGEST:,} bytes of metadata are read")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}; copy the file again") from error
    return _object(content, path)


def _object(content: object, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{path} has no JSON object with metadata; copy the file again")
    return content

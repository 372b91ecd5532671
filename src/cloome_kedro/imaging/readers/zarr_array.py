"""Arrays of OME-Zarr, one array per field, such as ``P1.ome.zarr/B/02/0/0``. Chunks are read by tensorstore.

Tensorstore reads Zarr 2 and Zarr 3. The package zarr does so from version 3 on, beside which anndata cannot be imported
on Python 3.11.
"""

import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.ngff import ArrayFacts, leading_planes, read_array_facts
from cloome_kedro.imaging.readers.base import LARGEST_IMAGE, BadField, Reader


def check_zarr(path: str | Path) -> None:
    """Raise ImportError if tensorstore is not installed."""
    if find_spec("tensorstore") is None:
        raise ImportError(f"{path} needs tensorstore, which is not installed: pip install 'cloome-kedro[zarr]'")


def read(path: str, planes: Sequence[int | None]) -> Iterator[npt.NDArray]:
    """Read planes of an array; see `cloome_kedro.imaging.readers.base.Reader`. Each chunk is decoded once.

    Chunks that are not stored have the fill value, as the format says. A plane that has only the fill value is refused:
    its chunks were not copied, or the image is empty.
    """
    check_zarr(path)
    name = short_name(path)
    try:
        facts = read_array_facts(Path(path))
    except ValueError as error:
        raise BadField(str(error)) from error
    wanted = [_checked(plane, facts, name) for plane in planes]
    _check_size(facts, name)
    blocks = {plane: _block(plane, facts) for plane in wanted}
    decoded: dict[int, npt.NDArray] = {}
    for i, plane in enumerate(wanted):
        if plane not in decoded:
            block = blocks[plane]
            of_block = sorted(other for other in set(wanted[i:]) if blocks[other] == block)
            try:
                images = _open(path)[tuple(slice(start, stop) for start, stop in block)].read().result()
            except Exception as error:  # codecs raise many types of exceptions for a bad chunk
                raise BadField(f"{name}, plane {plane}, is unreadable or truncated: {error}") from error
            starts = [start for start, _ in block]
            for other in of_block:
                position = np.array(np.unravel_index(other, facts.shape[:-2]), dtype=int).ravel() - starts
                decoded[other] = np.asarray(images)[tuple(position)]
        image = decoded[plane] if plane in wanted[i + 1 :] else decoded.pop(plane)
        if (image == facts.fill_value).all():
            raise BadField(f"{name}, plane {plane}, is not stored, or all its pixels are {facts.fill_value:g}")
        yield image


def locate(paths: Sequence[str]) -> list[str | None]:
    """Path of each array, or None if it does not exist; see `cloome_kedro.imaging.readers.base.Reader`."""
    exist = {path: any(os.path.isfile(os.path.join(path, name)) for name in (".zarray", "zarr.json")) for path in paths}
    return [path if exist[path] else None for path in paths]


def stamp(path: str) -> tuple[int | str, ...]:
    """Bytes of all files of an array, and a digest of their names, sizes and times of modification."""
    files = []
    for folder, _, names in os.walk(path):
        for name in names:
            status = os.stat(os.path.join(folder, name))
            relative = os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
            files.append((relative, status.st_size, status.st_mtime_ns))
    if not files:
        return (-1, -1)
    return sum(size for _, size, _ in files), hashlib.sha256(repr(sorted(files)).encode()).hexdigest()


def short_name(path: str) -> str:
    """Path from the plate on.

    >>> short_name("/data/screen/P1.ome.zarr/B/02/0/0")
    'P1.ome.zarr/B/02/0/0'
    """
    found = re.search(r"[^/\\]+\.zarr[/\\].*", path, re.IGNORECASE)
    return found[0].replace("\\", "/") if found else os.path.basename(path)


def _open(path: str):
    """Open an array for reading."""
    import tensorstore

    driver = "zarr3" if os.path.isfile(os.path.join(path, "zarr.json")) else "zarr"
    store = {"driver": "file", "path": os.path.join(os.path.abspath(path), "")}
    return tensorstore.open({"driver": driver, "kvstore": store}, read=True).result()


READER = Reader(read, locate, stamp, short_name)


def _checked(plane: int | None, facts: ArrayFacts, name: str) -> int:
    """Number of a plane of the array."""
    number = leading_planes(facts.shape)
    if plane is None and number > 1:
        raise BadField(f"{name} has {number} planes; the plane must be named")
    if not 0 <= (plane or 0) < number:
        raise BadField(f"{name} has no plane {plane}, only {number} planes")
    return plane or 0


def _check_size(facts: ArrayFacts, name: str) -> None:
    """Raise `BadField` if the images that one chunk holds, or the chunk, are too large."""
    values = max(math.prod(facts.chunk), math.prod(facts.chunk[:-2]) * math.prod(facts.shape[-2:]))
    if (size := values * np.dtype(facts.dtype).itemsize) > LARGEST_IMAGE:
        raise BadField(f"{name} is too large: a chunk and its images have {size:,} bytes, at most {LARGEST_IMAGE:,}")


def _block(plane: int, facts: ArrayFacts) -> tuple[tuple[int, int], ...]:
    """Range of each leading dimension that the chunks of a plane hold."""
    position = np.unravel_index(plane, facts.shape[:-2]) if len(facts.shape) > 2 else ()
    starts = [int(place) // size * size for place, size in zip(position, facts.chunk[:-2], strict=True)]
    sizes = zip(starts, facts.chunk[:-2], facts.shape[:-2], strict=True)
    return tuple((start, min(start + size, length)) for start, size, length in sizes)

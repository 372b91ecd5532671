"""Find image files with the same content."""

import filecmp
import hashlib
import os
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.inspection.findings import EXAMPLES, Finding
from cloome_kedro.words import counted

_ENDS = 1 << 16  # bytes at the beginning and the end of a file that are compared first


def doubled_files(paths: Sequence[str], limit: int, seconds: float) -> tuple[list[tuple[str, str]], int]:
    """Find pairs of files with the same content among some files.

    Files of the same size are compared by their first and last 64 KiB, and then as a whole.

    Parameters
    ----------
    paths
        Files. Those that are not on this machine are left out.
    limit, seconds
        Largest number of files, and time after which no further file is read. Files are spread over ``paths``.

    Returns
    -------
    pairs, looked_at
    """
    paths = list(dict.fromkeys(paths))
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(limit, len(paths))).astype(int)]
    by_size: dict[int, list[str]] = {}
    for path in filter(os.path.isfile, chosen):
        by_size.setdefault(os.path.getsize(path), []).append(path)
    first: dict[tuple[int, bytes], str] = {}
    pairs, looked_at, start = [], 0, time.perf_counter()
    for size, same in by_size.items():
        for path in same:
            looked_at += 1
            if len(same) == 1 or time.perf_counter() - start > seconds:
                continue
            other = first.setdefault((size, _ends(path, size)), path)
            if other != path and filecmp.cmp(other, path, shallow=False):
                pairs.append((other, path))
    return pairs, looked_at


def _ends(path: str, size: int) -> bytes:
    with open(path, "rb") as file:
        digest = hashlib.blake2b(file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        digest.update(file.read(_ENDS))
    return digest.digest()


def check_doubled(index: pd.DataFrame, limit: int, seconds: float) -> list[Finding]:
    """Judge whether fields have the same images. The DNA image of each field is looked at."""
    paths = index[f"path_{CHANNELS[-1]}"].tolist() if len(index) else []
    pairs, looked_at = doubled_files(paths, limit, seconds)
    if not looked_at:
        return []
    among = f"among {counted(looked_at, 'file')} of the channel {CHANNELS[-1]}"
    if not pairs:
        return [Finding("doubled files", "ok", f"no two files have the same content {among}")]
    examples = "; ".join(f"{a} and {b}" for a, b in pairs[:EXAMPLES])
    text = f"{counted(len(pairs), 'file')} with the content of another one {among}: {examples}. Nothing is removed"
    return [Finding("doubled files", "warning", text)]

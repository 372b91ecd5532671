"""Ways in which stored files are damaged: name -> function that damages the file at a path."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd


def _bytes(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _array(change):
    def damage(path: Path) -> None:
        buffer = io.BytesIO()
        np.save(buffer, change(np.load(path)), allow_pickle=True)
        path.write_bytes(buffer.getvalue())

    return damage


def _archive(path: Path) -> None:
    images = np.load(path)
    with path.open("wb") as file:
        np.savez(file, images=images)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


#: a file of an uint8 array (fields, 5, height, width)
PLATES = {
    "zero bytes": _bytes(lambda data: b""),
    "header only": _bytes(lambda data: data[:128]),
    "half a header": _bytes(lambda data: data[:40]),
    "one byte short": _bytes(lambda data: data[:-1]),
    "half": _bytes(lambda data: data[: len(data) // 2]),
    "more bytes": _bytes(lambda data: data + b"\0" * 7),
    "text": _bytes(lambda data: b"field_id,row\n"),
    "archive": _archive,
    "float32": _array(lambda images: images.astype(np.float32)),
    "int8": _array(lambda images: images.astype(np.int8)),
    "uint16": _array(lambda images: images.astype(np.uint16)),
    "objects": _array(lambda images: images.astype(object)),
    "three channels": _array(lambda images: images[:, :3]),
    "channels last": _array(lambda images: np.moveaxis(images, 1, 3)),
    "Fortran order": _array(np.asfortranarray),
    "one field": _array(lambda images: images[0]),
}

#: a parquet file
TABLES = {
    "zero bytes": _bytes(lambda data: b""),
    "text": _bytes(lambda data: b"field_id,row\n"),
    "one byte short": _bytes(lambda data: data[:-1]),
    "half": _bytes(lambda data: data[: len(data) // 2]),
    "length of the footer": _bytes(lambda data: data[:-8] + b"\xff\xff\xff\x7f" + data[-4:]),
    "footer": _bytes(lambda data: data[:-60] + b"\xff" * 52 + data[-8:]),
    "start of the footer": _bytes(
        lambda data: (
            data[: (start := len(data) - 8 - int.from_bytes(data[-8:-4], "little"))] + b"\xff" * 4 + data[start + 4 :]
        )
    ),
    "data": _bytes(lambda data: data[:4] + bytes(byte ^ 255 for byte in data[4:60]) + data[60:]),
    "of another writer": lambda path: pd.DataFrame({"other": [1]}).to_parquet(path),
    "copied over": lambda path: shutil.copy(__file__, path),
}

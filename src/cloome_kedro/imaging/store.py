"""The plate store: one memory-mapped file of uint8 fields for each plate, and beside it a record of how it was made."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cloome_kedro.atomic import part_of, remove_parts
from cloome_kedro.stores import read_digest, read_notes, write_table


@dataclass(frozen=True)
class PlateStore:
    """Folder with ``<plate_file>.npy``, (fields, 5, H, W) uint8 in the order of `channels.CHANNELS`, for each plate.

    ``<plate_file>.parquet`` tells, for each field of the plate, its row and statistics or why it was rejected. It holds
    the digest of what it was made from, and how fields are stored. It is written last: a plate file without its record
    counts for nothing.
    """

    folder: Path

    @staticmethod
    def name(plate: str) -> str:
        """The plate's name in the store: itself, with characters that file names cannot have escaped."""
        return quote(plate, safe=" +,=@")

    def images(self, plate_file: str) -> Path:
        """Path of the plate's fields."""
        return self.folder / f"{plate_file}.npy"

    def _record(self, plate_file: str) -> Path:
        return self.folder / f"{plate_file}.parquet"

    def is_current(self, plate_file: str, digest: str) -> bool:
        """Whether the plate was written whole, from inputs and parameters with this digest."""
        if read_digest(self._record(plate_file)) != digest:
            return False
        try:
            table = pq.read_table(self._record(plate_file), columns=["row"])
        except pa.ArrowInvalid:
            return False
        rows = sum(row >= 0 for row in table["row"].to_pylist())
        try:
            return rows == 0 or len(np.load(self.images(plate_file), mmap_mode="r")) == rows
        except (FileNotFoundError, ValueError):
            return False

    def digest(self, plate_file: str) -> str:
        """Digest of what the plate was made from: another one says that its fields may have changed."""
        return read_digest(self._record(plate_file)) or ""

    def storage(self, plate_files: Iterable[str]) -> dict[str, Any]:
        """How the fields of some plates are stored: channels, intensity, scope, crop and size.

        Raises
        ------
        ValueError
            If they are stored in several ways, or a plate does not say so.
        """
        known = {plate: read_notes(self._record(plate)) for plate in dict.fromkeys(plate_files)}
        first, notes = next(iter(known.items()))
        for plate, others in known.items():
            if not others or others != notes:
                raise ValueError(
                    f"{self._record(plate)} says that fields are stored as {others or 'unknown'}, {first} as {notes}: "
                    "run the pipeline ingestion again"
                )
        return notes

    def record(self, plate_file: str) -> pd.DataFrame:
        """One row per field: field_id, row (-1 = rejected), reason and the statistics."""
        return pq.read_table(self._record(plate_file)).to_pandas()

    def shape(self, plate_file: str) -> tuple[int, ...] | None:
        """(H, W) of the plate's fields; None where it has none."""
        try:
            return np.load(self.images(plate_file), mmap_mode="r").shape[2:]
        except FileNotFoundError:
            return None

    def writer(self, plate_file: str, digest: str, storage: dict[str, Any]) -> "PlateWriter":
        """Write a plate, field by field; see `PlateWriter`."""
        return PlateWriter(self.images(plate_file), self._record(plate_file), digest, storage)

    def reader(self, plate_files: Sequence[str], rows: npt.ArrayLike) -> "FieldReader":
        """Read fields, given by plate file and row (two sequences of one length); see `FieldReader`."""
        return FieldReader(self.folder, plate_files, rows)


class PlateWriter:
    """Writes a plate under temporary names; `commit` puts it in place. Left without a commit, nothing has changed."""

    def __init__(self, images: Path, record: Path, digest: str, storage: dict[str, Any]):
        self._images, self._record, self._digest, self._storage = images, record, digest, storage
        self._file: BinaryIO | None = None
        self._shape: tuple[int, ...] = ()
        self._rows = 0

    def __enter__(self) -> "PlateWriter":
        # A worker that outlives a killed run must not write into the next run's file. Removing also what running
        # processes have written makes such a worker fail where it would rename.
        for target in (self._images, self._record):
            remove_parts(target, of_running=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
        part_of(self._images).unlink(missing_ok=True)
        part_of(self._record).unlink(missing_ok=True)

    def append(self, field: npt.NDArray[np.uint8]) -> int:
        """Add a field, (5, H, W), and return its row."""
        if self._file is None:
            self._shape = field.shape
            self._file = open(part_of(self._images), "wb")  # noqa: SIM115 - closed by commit or exit
            self._write_header()
        if field.shape != self._shape or field.dtype != np.uint8:
            raise ValueError(f"a field of {self._shape} uint8 is expected, not {field.shape} {field.dtype}")
        self._file.write(np.ascontiguousarray(field).data)
        self._rows += 1
        return self._rows - 1

    def commit(self, record: pd.DataFrame) -> None:
        """Put the plate and its record in place.

        In between, the old record is gone and the new one is not there yet: a kill leaves a plate to be made again.
        """
        write_table(part_of(self._record), record, self._digest, self._storage)
        if self._file:
            self._file.seek(0)
            self._write_header()
            self._file.close()
        self._record.unlink(missing_ok=True)
        try:
            if self._file:
                os.replace(part_of(self._images), self._images)
            else:
                self._images.unlink(missing_ok=True)
            os.replace(part_of(self._record), self._record)
        except FileNotFoundError as error:
            raise RuntimeError(
                f"another run writes {self._images} at the same time; let one of them end, then run again"
            ) from error

    def _write_header(self) -> None:
        # numpy pads the header so that the number of rows can grow in place: the count is filled in at the end
        assert self._file is not None
        header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (self._rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


class FieldReader:
    """Fields by position in the two lists it was made with: ``reader(indices)`` -> (B, 5, H, W) uint8.

    Files are mapped on first use; pickling passes names only.

    Raises
    ------
    FileNotFoundError
        If a plate file is missing.
    ValueError
        If plates have different shapes, or a row is beyond its plate.
    """

    def __init__(self, folder: Path, plate_files: Sequence[str], rows: npt.ArrayLike):
        names, plates = np.unique(np.asarray(plate_files, dtype=str), return_inverse=True)
        self._paths = [folder / f"{name}.npy" for name in names]
        self._plates, self._rows = plates.astype(np.int32), np.asarray(rows, dtype=np.int64)
        self._maps: list[npt.NDArray[np.uint8]] | None = None
        if self._plates.shape != self._rows.shape or not len(self._rows):
            raise ValueError(f"{len(self._plates)} plate files and {len(self._rows)} rows: one row for each is needed")
        maps = self._open()
        for path, images in zip(self._paths, maps, strict=True):
            if images.shape[1:] != maps[0].shape[1:]:
                raise ValueError(
                    f"{path} has fields of {images.shape[1:]}, {self._paths[0]} of {maps[0].shape[1:]}; "
                    "set `storage.size` in params:ingestion, so that all plates are stored alike"
                )
        last = np.array([len(images) for images in maps])[self._plates]
        if (bad := (self._rows < 0) | (self._rows >= last)).any():
            i = int(bad.argmax())
            path, row = self._paths[self._plates[i]], self._rows[i]
            raise ValueError(f"{path} has no row {row}; run the pipeline ingestion again")
        self.shape: tuple[int, int, int] = maps[0].shape[1:]

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, indices: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        maps = self._maps or self._open()
        indices = np.asarray(indices)
        plates, rows = self._plates[indices], self._rows[indices]
        fields = np.empty((len(indices), *self.shape), dtype=np.uint8)
        # in the order of the file, which is what a disk likes best
        for i in np.lexsort((rows, plates)):
            fields[i] = maps[plates[i]][rows[i]]
        return fields

    def _open(self) -> list[npt.NDArray[np.uint8]]:
        for path in self._paths:
            if not path.is_file():
                raise FileNotFoundError(f"there is no plate file {path}; run the pipeline ingestion")
        # plain arrays over the maps: slicing a np.memmap costs more than copying a small field
        self._maps = [np.asarray(np.load(path, mmap_mode="r")) for path in self._paths]
        return self._maps

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": None}

"""The plate store: for each plate a memory-mapped file of uint8 fields, and a record of its fields and its origin."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.atomic import flush, part_of, remove_parts
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.stores import DamagedFile, read_digest, read_notes, read_table, write_table


def open_plate(path: Path) -> npt.NDArray[np.uint8]:
    """Map the fields of a plate file into memory, and check that the file is complete.

    Returns
    -------
    (fields, 5, H, W) uint8

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFile
        If the file is truncated, or holds something else than fields.
    """
    try:
        images = np.lib.format.open_memmap(path, mode="r")
        surplus = path.stat().st_size - images.offset - images.nbytes
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # NumPy raises several types for a damaged file
        raise DamagedFile(f"{path} is damaged ({error}); run the pipeline ingestion again") from error
    is_plate = images.dtype == np.uint8 and images.ndim == 4 and images.shape[1] == len(CHANNELS)
    if not is_plate or not images.flags.c_contiguous or surplus:
        raise DamagedFile(
            f"{path} holds {images.dtype} of shape {images.shape} and {surplus} more bytes, but a plate file has uint8 "
            f"of shape (fields, {len(CHANNELS)}, height, width); run the pipeline ingestion again"
        )
    # as a plain array, because slicing a np.memmap takes longer than copying a small field
    return np.asarray(images)


@dataclass(frozen=True)
class PlateStore:
    """Folder with two files per plate.

    ``<plate_file>.npy`` has the fields, (fields, 5, H, W) uint8, with channels in the order of `channels.CHANNELS`.
    ``<plate_file>.parquet`` is the record. It gives the row and the statistics of each field, or the reason why the
    field was rejected. Its metadata has the digest of images and settings, and how the fields are stored. The record is
    written last: a plate file without a record is ignored.
    """

    folder: Path

    @staticmethod
    def name(plate: str) -> str:
        """Name of a plate in the store. Characters that are not allowed in file names are escaped."""
        return quote(plate, safe=" +,=@")

    def images(self, plate_file: str) -> Path:
        """Path of the fields of a plate."""
        return self.folder / f"{plate_file}.npy"

    def illumination(self, plate_file: str) -> Path:
        """Path of the illumination functions by which the images of a plate were divided, if they were."""
        return self.folder / "illumination" / f"{plate_file}.npz"

    def _record(self, plate_file: str) -> Path:
        return self.folder / f"{plate_file}.parquet"

    def is_current(self, plate_file: str, digest: str) -> bool:
        """Whether the plate is complete, and was made from images and settings with this digest."""
        if read_digest(self._record(plate_file)) != digest:
            return False
        try:
            rows = int((self.record(plate_file)["row"] >= 0).sum())
            return rows == 0 or len(open_plate(self.images(plate_file))) == rows
        except (FileNotFoundError, DamagedFile, KeyError):
            return False

    def digest(self, plate_file: str) -> str:
        """Digest of the images and settings of a plate. It is empty if there is no record, or the record is damaged."""
        return read_digest(self._record(plate_file)) or ""

    def storage(self, plate_files: Iterable[str]) -> dict[str, Any]:
        """How the fields of some plates are stored: channels, intensity, scope, crop and size.

        Raises
        ------
        ValueError
            If the plates are stored in different ways, or a record does not have this information.
        """
        storages = {plate: read_notes(self._record(plate)) for plate in dict.fromkeys(plate_files)}
        first_plate, first_storage = next(iter(storages.items()))
        for plate, storage in storages.items():
            if not storage or storage != first_storage:
                raise ValueError(
                    f"{self._record(plate)} says that fields are stored as {storage or 'unknown'}, but the fields of "
                    f"{first_plate} are stored as {first_storage}; run the pipeline ingestion again"
                )
        return first_storage

    def record(self, plate_file: str) -> pd.DataFrame:
        """Read the record of a plate.

        Returns
        -------
        One row per field: field_id, row (-1 if the field was rejected), reason (of the rejection) and statistics.

        Raises
        ------
        FileNotFoundError, DamagedFile
            If the record is missing or damaged.
        """
        return read_table(self._record(plate_file)).to_pandas()

    def shape(self, plate_file: str) -> tuple[int, ...] | None:
        """(H, W) of the fields of a plate; None if the plate has no fields."""
        try:
            return open_plate(self.images(plate_file)).shape[2:]
        except FileNotFoundError:
            return None

    def writer(self, plate_file: str, digest: str, storage: dict[str, Any]) -> "PlateWriter":
        """Return a context manager that writes a plate, field by field; see `PlateWriter`."""
        return PlateWriter(self.images(plate_file), self._record(plate_file), digest, storage)

    def reader(self, plate_files: Sequence[str], rows: npt.ArrayLike) -> "FieldReader":
        """Return a reader of fields, which are given by plate file and row; see `FieldReader`."""
        return FieldReader(self.folder, plate_files, rows)


class PlateWriter:
    """Writes a plate to temporary files. `commit` gives them their names; without it, the store does not change."""

    def __init__(self, images: Path, record: Path, digest: str, storage: dict[str, Any]):
        self._images, self._record, self._digest, self._storage = images, record, digest, storage
        self._file: BinaryIO | None = None
        self._shape: tuple[int, ...] = ()
        self._rows = 0

    def __enter__(self) -> "PlateWriter":
        # A worker process may still run after its run was killed. Here the temporary files of running processes are
        # removed too, so that such a worker fails at the commit and does not replace the files of this run.
        for target in (self._images, self._record):
            remove_parts(target, include_running=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
        part_of(self._images).unlink(missing_ok=True)
        part_of(self._record).unlink(missing_ok=True)

    def append(self, field: npt.NDArray[np.uint8]) -> int:
        """Add a field, uint8 (5, H, W), and return its row."""
        if self._file is None:
            self._shape = field.shape
            self._file = open(part_of(self._images), "wb")  # noqa: SIM115 - closed by commit or exit
            self._write_header()
        if field.shape != self._shape or field.dtype != np.uint8:
            raise ValueError(f"the field must be uint8 {self._shape}, not {field.dtype} {field.shape}")
        self._file.write(np.ascontiguousarray(field).data)
        self._rows += 1
        return self._rows - 1

    def commit(self, record: pd.DataFrame) -> None:
        """Replace the old plate and its record by the new ones.

        The old record is removed first. If the run is killed during the commit, the plate has no record and is ingested
        again.
        """
        write_table(part_of(self._record), record, self._digest, self._storage)
        if self._file:
            self._file.seek(0)
            self._write_header()
            self._file.close()
        try:
            for part in (part_of(self._record), *([part_of(self._images)] if self._file else [])):
                flush(part)
            self._record.unlink(missing_ok=True)
            if self._file:
                os.replace(part_of(self._images), self._images)
            else:
                self._images.unlink(missing_ok=True)
            os.replace(part_of(self._record), self._record)
            flush(self._record.parent, content=False)
        except FileNotFoundError as error:
            raise RuntimeError(
                f"another run writes {self._images} at the same time; wait until it ends, then run again"
            ) from error

    def _write_header(self) -> None:
        # numpy pads the header, so that the final number of rows can be written over it at the end
        assert self._file is not None
        header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (self._rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


class FieldReader:
    """Reads fields from memory-mapped plate files: ``reader(indices)`` -> (B, 5, H, W) uint8.

    A pickled reader has only the names of the files. It maps the files again when it is used.

    Parameters
    ----------
    folder
        Folder of the store.
    plate_files, rows
        Plate file and row of each field: two sequences of the same length. The indices are positions in them.

    Raises
    ------
    FileNotFoundError
        If a plate file is missing.
    DamagedFile
        If a plate file is damaged; see `open_plate`.
    ValueError
        If plates have different shapes, or a plate does not have a row.
    """

    def __init__(self, folder: Path, plate_files: Sequence[str], rows: npt.ArrayLike):
        names, plates = np.unique(np.asarray(plate_files, dtype=str), return_inverse=True)
        self._paths = [folder / f"{name}.npy" for name in names]
        self._plates, self._rows = plates.astype(np.int32), np.asarray(rows, dtype=np.int64)
        self._maps: list[npt.NDArray[np.uint8]] | None = None
        if self._plates.shape != self._rows.shape or not len(self._rows):
            raise ValueError(
                f"{len(self._plates)} plate files and {len(self._rows)} rows are given; each field needs one of each, "
                "and at least one field is needed"
            )
        maps = self._open()
        for path, images in zip(self._paths, maps, strict=True):
            if images.shape[1:] != maps[0].shape[1:]:
                raise ValueError(
                    f"{path} has fields of shape {images.shape[1:]}, but {self._paths[0]} has {maps[0].shape[1:]}; "
                    "set `storage.size` in params:ingestion, so that all plates are stored in the same shape"
                )
        rows_in_plate = np.array([len(images) for images in maps])[self._plates]
        if (is_bad := (self._rows < 0) | (self._rows >= rows_in_plate)).any():
            i = int(is_bad.argmax())
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
        for i in np.lexsort((rows, plates)):  # reading in the order of the files is fastest on a disk
            fields[i] = maps[plates[i]][rows[i]]
        return fields

    def windows(
        self, indices: npt.ArrayLike, tops: npt.ArrayLike, lefts: npt.ArrayLike, size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        """Read only a part of each field: (B, 5, *size) uint8, from row ``tops[i]`` and column ``lefts[i]`` on."""
        maps = self._maps or self._open()
        indices, tops, lefts = np.asarray(indices), np.asarray(tops), np.asarray(lefts)
        plates, rows = self._plates[indices], self._rows[indices]
        fields = np.empty((len(indices), self.shape[0], *size), dtype=np.uint8)
        for i in np.lexsort((rows, plates)):
            top, left = tops[i], lefts[i]
            fields[i] = maps[plates[i]][rows[i], :, top : top + size[0], left : left + size[1]]
        return fields

    def _open(self) -> list[npt.NDArray[np.uint8]]:
        for path in self._paths:
            if not path.is_file():
                raise FileNotFoundError(f"there is no plate file {path}; run the pipeline ingestion")
        self._maps = [open_plate(path) for path in self._paths]
        return self._maps

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": None}

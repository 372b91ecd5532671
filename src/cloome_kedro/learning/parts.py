"""Embeddings of plates that are finished, so that an interrupted embedding continues."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloome_kedro.atomic import replace_file

logger = logging.getLogger(__name__)

#: (positions of rows, function that is called with all vectors and the number of finished ones) -> vectors of the rows
Compute = Callable[[np.ndarray, Callable[[np.ndarray, int], None]], np.ndarray]


@dataclass(frozen=True)
class Parts:
    """A folder with one file per plate, ``<digest>.npy``, while fields are embedded.

    Finished plates are written once per ``seconds``, so a short embedding writes nothing. The folder is removed when
    all plates are finished.

    Attributes
    ----------
    folder
        The folder.
    identity
        Text that differs if the embeddings differ: of the model, its view and the inputs.
    plates : (n,) str
        Plate of each row.
    seconds
        Time between two writings.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     parts = Parts(Path(folder, "parts"), "model", np.array(["a", "a", "b"]))
    ...     parts.compute(lambda rows, finished: rows[:, None].astype(np.float32)).ravel().tolist()
    [0.0, 1.0, 2.0]
    """

    folder: Path
    identity: str
    plates: np.ndarray
    seconds: float = 60.0

    def compute(self, embed: Compute) -> np.ndarray:
        """Embed all rows, except those of plates that an interrupted call has written: (n, d) float32."""
        names, first, codes = np.unique(self.plates, return_index=True, return_inverse=True)
        # Plate by plate, in the order of their first rows. A table that is sorted by plates keeps its order.
        rows_of = {name: np.flatnonzero(codes == code) for code, name in enumerate(names.tolist())}
        rows_of = {name: rows_of[name] for name in names[np.argsort(first)].tolist()}
        written = {name: vectors for name, rows in rows_of.items() if (vectors := self._read(name, rows)) is not None}
        missing = [name for name in rows_of if name not in written]
        if written:
            logger.info(
                "%d of %d plates were embedded before an interruption: the embedding continues",
                *(len(written), len(rows_of)),
            )
        ends = np.cumsum([len(rows_of[name]) for name in missing])
        done, last = 0, time.monotonic()

        def finished(vectors: np.ndarray, count: int) -> None:
            nonlocal done, last
            if time.monotonic() - last < self.seconds:
                return
            while done < len(missing) and ends[done] <= count:
                name = missing[done]
                self._write(name, rows_of[name], vectors[ends[done] - len(rows_of[name]) : ends[done]])
                done += 1
            last = time.monotonic()

        rest = np.concatenate([rows_of[name] for name in missing] or [np.empty(0, np.int64)])
        vectors = embed(rest, finished)
        result = np.empty((len(self.plates), vectors.shape[1]), np.float32)
        result[rest] = vectors
        for name, part in written.items():
            result[rows_of[name]] = part
        shutil.rmtree(self.folder, ignore_errors=True)
        return result

    def _path(self, plate: str, rows: np.ndarray) -> Path:
        digest = hashlib.sha256(f"{self.identity}\n{plate}\n".encode() + rows.astype(np.int64).tobytes())
        return self.folder / f"{digest.hexdigest()[:32]}.npy"

    def _read(self, plate: str, rows: np.ndarray) -> np.ndarray | None:
        """Vectors of a plate; None if they are not there or damaged."""
        if not self.folder.exists() or not (path := self._path(plate, rows)).exists():
            return None
        try:
            vectors = np.load(path, allow_pickle=False)
        except Exception as error:  # a damaged file can raise any type
            logger.warning("%s cannot be read (%s): its plate is embedded again", path, error)
            return None
        return vectors if vectors.shape[:1] == rows.shape else None

    def _write(self, plate: str, rows: np.ndarray, vectors: np.ndarray) -> None:
        with replace_file(self._path(plate, rows)) as part:
            np.save(part, vectors, allow_pickle=False)

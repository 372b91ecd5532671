"""Results that are computed in parts, so that an interrupted command continues where it stopped."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from cloome_kedro.atomic import replace_file
from cloome_kedro.stores import TableStore, digest_of, read_table

#: results and rejected rows of one part
Part = tuple[pd.DataFrame, pd.DataFrame]


class Chunks:
    """Parts of a result, in a folder beside its file.

    Parameters
    ----------
    out
        File of the whole result.
    content
        JSON values that the result depends on. Parts that depend on others are computed again.
    """

    def __init__(self, out: Path, *content: object):
        self.out = out
        self.folder = out.with_name(f".{out.name}.parts")
        self._store, self._digest = TableStore(self.folder), digest_of(*content)

    def run(self, sizes: Sequence[int], unit: str, compute: Callable[[int], Part]) -> int:
        """Compute the missing parts, with a progress bar.

        Parameters
        ----------
        sizes
            Number of rows of each part, for the bar.
        unit
            Word for a row.
        compute
            Number of a part -> its results, and its rejected rows.

        Returns
        -------
        Number of parts that were there already.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        there = 0
        with tqdm(total=sum(sizes), unit=f" {unit}", desc="embedding", disable=None) as bar:
            for number, size in enumerate(sizes):
                names = self._names(number)
                if all(self._store.is_current(name, self._digest) for name in names):
                    there += 1
                else:
                    for name, table in zip(names, compute(number), strict=True):
                        self._store.write(name, table, self._digest)
                bar.update(size)
        return there

    def tables(self, parts: int) -> Iterator[pa.Table]:
        """Results of all parts, one after the other."""
        return (read_table(self._store.path(self._names(number)[0])) for number in range(parts))

    def rejected(self, parts: int) -> pd.DataFrame:
        """Rejected rows of all parts."""
        tables = [self._store.read(self._names(number)[1]) for number in range(parts)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def remove(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _names(number: int) -> tuple[str, str]:
        return f"{number:06d}", f"{number:06d}_rejected"


def with_vectors(table: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """Add the columns ``embedding_000``, ``embedding_001``, ... to a table."""
    names = [f"embedding_{number:03d}" for number in range(vectors.shape[1])]
    return pd.concat([table.reset_index(drop=True), pd.DataFrame(vectors, columns=names)], axis=1)


def vectors_of(table: pd.DataFrame) -> np.ndarray:
    """Vectors of a table of :func:`with_vectors`: (N, d) float32."""
    return table.filter(regex=r"^embedding_\d+$").to_numpy(np.float32)


def write_joined(path: Path, tables: Iterator[pa.Table]) -> int:
    """Write tables of equal columns as one parquet file, one table at a time; return the number of rows."""
    rows = 0
    with replace_file(path) as part:
        writer = None
        for table in tables:
            table = table.replace_schema_metadata(None)
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table.cast(writer.schema))
            rows += len(table)
        assert writer is not None
        writer.close()
    return rows


def write_rejected(out: Path, rejected: pd.DataFrame) -> Path | None:
    """Write rejected rows beside a result, ``NAME.rejected.csv``; None, and no file, if there are none."""
    path = out.with_name(f"{out.stem}.rejected.csv")
    if not len(rejected):
        path.unlink(missing_ok=True)
        return None
    with replace_file(path) as part:
        rejected.to_csv(part, index=False)
    return path

"""Read an index: search it, and get its rows, vectors and thumbnails."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.index import layout
from cloome_kedro.index.lance import condition, connect, short
from cloome_kedro.index.names import near
from cloome_kedro.index.thumbnails import decode_all

_KEYS_PER_QUERY = 500


class Index:
    """A finished index.

    Parameters
    ----------
    folder
        Folder of the index.
    info
        Content of its ``index.json``.

    Examples
    --------
    >>> index = Index.open("data/07_model_output/virtual_screen/random/default/seed_0/cloome/index")  # doctest: +SKIP
    >>> index.search(vectors, kind="compounds", top=5, where="moa = 'MEK inhibitor'")  # doctest: +SKIP
    """

    def __init__(self, folder: Path, info: dict[str, Any]):
        self.folder, self.info = folder, info
        self._opened: dict[str, Any] = {}
        self._side_tables: dict[str, pd.DataFrame] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.info["counts"].items())
        return f"Index({self.info['label']} of {self.info['screen']}, {self.info['split']} split: {counts})"

    @classmethod
    def open(cls, path: str | Path) -> "Index":
        """Open the index in a folder.

        Raises
        ------
        FileNotFoundError
            If there is no index.
        ValueError
            If the index has another format, or its build was interrupted.
        """
        folder = Path(path).expanduser()
        file = folder / layout.INDEX_FILE
        if not file.is_file():
            raise FileNotFoundError(f"{folder} is not an index: it has no {layout.INDEX_FILE}")
        try:
            info = json.loads(file.read_text())
            version, complete = info["format"], info.get("complete", True)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is damaged: run the pipeline `index` again") from error
        if version != layout.FORMAT:
            raise ValueError(
                f"{folder} has the index format {version}, but this version reads format {layout.FORMAT}: run the "
                "pipeline `index` again"
            )
        if not complete:
            raise ValueError(
                f"{folder} is not complete, because its build was interrupted: run the pipeline `index` again"
            )
        return cls(folder, info)

    @property
    def uri(self) -> str:
        """Place of the LanceDB tables."""
        return self.info.get("uri") or str(self.folder / layout.LANCE_FOLDER)

    def table(self, kind: str) -> Any:
        """LanceDB table of ``fields``, ``wells`` or ``compounds``."""
        if kind not in layout.KINDS:
            raise ValueError(f"an index has no {kind!r}, only {', '.join(layout.KINDS)}")
        if kind not in self._opened:
            try:
                self._opened[kind] = connect(self.uri).open_table(kind)
            except (ValueError, OSError, RuntimeError) as error:
                raise FileNotFoundError(f"the index has no readable table {self.uri}/{kind}: {short(error)}") from error
        return self._opened[kind]

    def count(self, kind: str, where: str | None = None) -> int:
        """Number of rows that fulfil a condition."""
        with_filter = self._filtered(kind, where)
        return int(with_filter(lambda: self.table(kind).count_rows(where)))

    def search(
        self,
        vectors: np.ndarray,
        kind: str = layout.FIELDS,
        top: int = 20,
        where: str | None = None,
        metric: str | None = None,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Find the rows with the highest scores.

        Parameters
        ----------
        vectors
            (Q, d) or (d,): embeddings of the model.
        kind
            Rows that are searched: ``fields``, ``wells`` or ``compounds``.
        top
            Number of rows for each query.
        where
            Condition on columns of metadata, in SQL, such as ``moa = 'MEK inhibitor' AND NOT control``.
        metric
            ``cosine`` or ``dot``. The default is that of the model. Another metric is always searched exactly.
        exact
            Whether the approximate index is not used.

        Returns
        -------
        Columns ``query`` (number), ``rank`` (from 1), ``score`` (the higher, the more similar), then the key and the
        metadata of the row.

        Raises
        ------
        ValueError
            If vectors do not fit or are not finite, ``where`` cannot be read, or ``top`` is below 1.
        """
        queries = self._checked(vectors)
        self.table(kind)
        if top < 1:
            raise ValueError(f"top must be at least 1, not {top}")
        metric = metric or self.info["metric"]
        exact = exact or metric != self.info["metric"]
        run = self._filtered(kind, where)
        found = [run(lambda query=query: self._nearest(query, kind, top, where, metric, exact)) for query in queries]
        key = layout.KEYS[kind]
        for number, hits in enumerate(found):
            hits.insert(0, "score", 1 - hits.pop("_distance"))
            hits = found[number] = hits.sort_values(["score", key], ascending=[False, True], ignore_index=True)
            hits.insert(0, "rank", np.arange(1, len(hits) + 1))
            hits.insert(0, "query", number)
        return pd.concat(found, ignore_index=True)

    def _nearest(
        self, query: np.ndarray, kind: str, top: int, where: str | None, metric: str, exact: bool
    ) -> pd.DataFrame:
        columns = list(layout.COLUMNS[kind])
        approximate = not exact and not self.info["search"][kind]["exact"]
        for bypass in (not approximate, True):
            search = self.table(kind).search(query, vector_column_name=layout.VECTOR).distance_type(metric)
            search = search.bypass_vector_index() if bypass else search.nprobes(self.info["search"][kind]["probes"])
            if where:
                search = search.where(where, prefilter=True)
            hits = search.select([*columns, "_distance"]).limit(top).to_arrow().to_pandas()
            if bypass or len(hits) == top:
                break  # few partitions may have too few rows that fulfil a condition
        return hits

    def rows(
        self, kind: str, where: str | None = None, columns: Sequence[str] | None = None, limit: int | None = None
    ) -> pd.DataFrame:
        """Metadata of rows that fulfil a condition, sorted by their keys if all are read.

        Parameters
        ----------
        columns
            Names of columns. The default are all columns of metadata, without vectors and thumbnails.
        """
        names = list(layout.COLUMNS[kind] if columns is None else columns)
        run = self._filtered(kind, where)

        def read():
            search = self.table(kind).search().select(names)
            search = search.where(where) if where else search
            return search.limit(limit or self.table(kind).count_rows() or 1).to_arrow().to_pandas()

        key, table = layout.KEYS[kind], run(read)
        return table.sort_values(key, ignore_index=True) if key in table and limit is None else table

    def vectors(self, kind: str, keys: Iterable[str]) -> np.ndarray:
        """Vectors of keys, in their order: (N, d) float32.

        Raises
        ------
        ValueError
            If a key is unknown. The message names it and the nearest keys.
        """
        found = self._by_key(kind, keys, layout.VECTOR)
        return np.stack(found).astype(np.float32) if found else np.zeros((0, self.info["embedding_size"]), np.float32)

    def thumbnails(self, field_ids: Iterable[str]) -> np.ndarray:
        """Small images of fields, uint8 (N, 5, h, w), channels Mito, ER, RNA, AGP, DNA.

        Raises
        ------
        ValueError
            If a field is unknown, or the screen has no images.
        """
        if not self.info["thumbnail"]:
            raise ValueError(f"the index of {self.info['screen']} has no images")
        found = self._by_key(layout.FIELDS, field_ids, layout.THUMBNAIL)
        return decode_all(found) if found else np.zeros((0, 5, *self.info["thumbnail"]), np.uint8)

    def _by_key(self, kind: str, keys: Iterable[str], column: str) -> list[Any]:
        names, key = [str(name) for name in keys], layout.KEYS[kind]
        values: dict[str, Any] = {}
        for start in range(0, len(names), _KEYS_PER_QUERY):
            part = self.rows(kind, condition(key, names[start : start + _KEYS_PER_QUERY]), [key, column])
            values.update(zip(part[key], part[column], strict=True))
        for name in names:
            if name not in values:
                raise ValueError(f"the index has no {kind.removesuffix('s')} {name!r}{near(self, kind, name)}")
        return [values[name] for name in names]

    def side_table(self, name: str) -> pd.DataFrame:
        """Table beside the vectors; without rows and columns if the index does not have it.

        Parameters
        ----------
        name
            ``plate_statistics`` and thresholds of the plates; ``ranks`` of test queries among all rows;
            ``candidate_sets`` and ``familiarity`` of the model; ``fingerprints`` of the training compounds.
        """
        if name not in self._side_tables:
            path = self.folder / f"{name}.parquet"
            self._side_tables[name] = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
        return self._side_tables[name]

    @property
    def model_folder(self) -> Path | None:
        """Folder of the checkpoint; None if this kind of model has none."""
        folder = self.folder / layout.MODEL_FOLDER
        return folder if folder.is_dir() else None

    def add(self, content: Any) -> dict[str, dict[str, int]]:
        """Add rows of a content that was embedded by the same model; see :func:`cloome_kedro.index.build.update`.

        Raises
        ------
        ValueError
            If the content was embedded by other weights.
        """
        from cloome_kedro.index.build import update

        if content.info["weights"] != self.info["weights"]:
            raise ValueError(
                f"the index holds embeddings of the model {self.info['weights']}, not of {content.info['weights']}: "
                "run the pipeline `index`, which builds it again"
            )
        changes = update(self.folder, content)
        self.__init__(self.folder, Index.open(self.folder).info)  # type: ignore[misc]
        return changes

    def _checked(self, vectors: np.ndarray) -> np.ndarray:
        queries = np.atleast_2d(np.asarray(vectors, np.float32))
        size = self.info["embedding_size"]
        if queries.ndim != 2 or queries.shape[1] != size:
            raise ValueError(f"embeddings of this index have {size} numbers, not {queries.shape[-1]}")
        if not len(queries):
            raise ValueError("there is no query")
        if not (finite := np.isfinite(queries).all(axis=1)).all():
            raise ValueError(f"query {int(np.argmin(finite))} is not finite")
        return queries

    def _filtered(self, kind: str, where: str | None) -> Any:
        """Return a function that calls another one, and names the condition in its errors."""

        def run(read):
            try:
                if where and ";" in re.sub("'[^']*'", "", where):
                    raise ValueError("it has a semicolon outside of quotes.")  # LanceDB ignores what follows
                return read()
            except FileNotFoundError:
                raise
            except (ValueError, RuntimeError, OSError) as error:
                if not where:
                    raise
                names = ", ".join(layout.COLUMNS[kind])
                raise ValueError(
                    f"the condition {where!r} cannot be used: {short(error)} The columns of {kind} are: {names}"
                ) from error

        return run

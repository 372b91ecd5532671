"""How a table is searched: exactly, or by an approximate index with its measured recall."""

import math
from typing import Any

import numpy as np

from cloome_kedro.index import layout
from cloome_kedro.index.content import Content

#: number of neighbours that the recall of an approximate index is measured with
RECALL_AT = 20
_QUERIES = 200  # that measure the recall
_SAMPLE = 1000  # rows whose nearest other row is looked up
_QUANTILE = 0.01


def describe_search(
    table: Any, kind: str, vectors: dict[str, np.ndarray], metric: str, content: Content
) -> dict[str, Any]:
    """Make an approximate index if a table has many rows, and measure its recall.

    The partitions of the approximate index hold whole vectors (IVF_FLAT). A query reads the nearest ``probes`` of them.
    Their number is doubled until the measured recall is high enough, or all partitions are read.

    Parameters
    ----------
    vectors
        Kind of rows -> vectors. Queries are drawn from the rows of the table and from those of the other side.
    content
        Its ``exact_below``, ``probes`` and ``recall`` are read.

    Returns
    -------
    dict
        ``{"exact": True}``, or ``exact`` (false), ``partitions``, ``probes``, ``queries`` and ``recall@20``: the share
        of the exact 20 nearest rows that are found, as a mean over the queries.
    """
    rows = table.count_rows()
    has_index = any(layout.VECTOR in found.columns for found in table.list_indices())
    if rows < content.exact_below:
        return {"exact": True}
    partitions = max(2, round(math.sqrt(rows)))
    if not has_index:
        from lancedb.index import IvfFlat

        table.create_index(layout.VECTOR, config=IvfFlat(metric, partitions))  # type: ignore[arg-type]
    other = layout.COMPOUNDS if kind != layout.COMPOUNDS else layout.FIELDS
    generator = np.random.default_rng(0)
    queries = np.concatenate(
        [generator.permutation(vectors[side])[: _QUERIES // 2] for side in (kind, other)], dtype=np.float32
    )
    probes = min(content.probes, partitions)
    nearest = _search(table, kind, queries, metric)
    while True:
        found = _search(table, kind, queries, metric, probes)
        recall = np.mean([len(some & exact) / len(exact) for some, exact in zip(found, nearest, strict=True)])
        if recall >= content.recall or probes == partitions:
            break
        probes = min(2 * probes, partitions)
    return {
        "exact": False,
        "partitions": partitions,
        "probes": probes,
        "queries": len(queries),
        f"recall@{RECALL_AT}": round(float(recall), 4),
    }


def _search(table: Any, kind: str, queries: np.ndarray, metric: str, probes: int | None = None) -> list[set[str]]:
    """Keys of the rows that are nearest to each query: of all rows, or of some partitions of the approximate index.

    All queries are asked at once, because a single one takes milliseconds to begin.
    """
    key = layout.KEYS[kind]
    search = table.search(list(queries), vector_column_name=layout.VECTOR).distance_type(metric)
    search = search.bypass_vector_index() if probes is None else search.nprobes(probes)
    hits = search.select([key, "_distance"]).limit(RECALL_AT).to_arrow()
    found: list[set[str]] = [set() for _ in queries]
    of_hits = hits["query_index"].to_pylist() if len(queries) > 1 else [0] * len(hits)  # one query has no such column
    for query, name in zip(of_hits, hits[key].to_pylist(), strict=True):
        found[query].add(name)
    return found


def familiar_similarity(vectors: np.ndarray, quantile: float = _QUANTILE) -> float | None:
    """Similarity to the nearest row that all but few rows of a table have.

    Parameters
    ----------
    vectors
        (N, d).
    quantile
        Share of rows that are less similar to their nearest other row.

    Returns
    -------
    The quantile of the cosine between a row and its nearest other row, over at most 1,000 drawn rows. None if there are
    fewer than two rows.

    Examples
    --------
    >>> familiar_similarity(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), quantile=0.0)
    0.0
    """
    if len(vectors) < 2:
        return None
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    drawn = np.random.default_rng(0).permutation(len(unit))[:_SAMPLE]
    best = np.full(len(drawn), -np.inf)
    for start in range(0, len(unit), 1 << 16):
        cosines = unit[drawn] @ unit[start : start + (1 << 16)].T
        inside = (drawn >= start) & (drawn < start + (1 << 16))
        cosines[np.flatnonzero(inside), drawn[inside] - start] = -np.inf
        best = np.maximum(best, cosines.max(axis=1))
    return float(np.quantile(best, quantile))

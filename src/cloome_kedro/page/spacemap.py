"""A map of the embedding space: two principal components of fields and compounds."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from cloome_kedro.index import Index
from cloome_kedro.page.limits import MOST_POINTS
from cloome_kedro.page.models import Points, SpaceMap

_LABELS = ("moa", "plate", "fold")


def space_map(index: Index, most_points: int = MOST_POINTS, seed: int = 0) -> SpaceMap:
    """Project fields and compounds into two dimensions.

    The axes are the first two principal components of fields and compounds together. The mean of all fields and the
    mean of all compounds are subtracted first. Otherwise the distance between the two sides, the modality gap, would
    be the first component. Each side has the same weight.

    Parameters
    ----------
    index
        The index.
    most_points
        Number of fields, and of compounds, on the map. If there are more, they are drawn at random.
    seed
        Seed of this choice.
    """
    generator = np.random.default_rng(seed)
    rows, vectors, totals = {}, {}, {}
    for kind, key in (("fields", "field_id"), ("compounds", "inchikey")):
        table = index.rows(kind)
        totals[kind] = len(table)
        drawn = np.sort(generator.choice(len(table), min(most_points, len(table)), replace=False))
        rows[kind] = table.iloc[drawn].assign(key=table[key].iloc[drawn]).reset_index(drop=True)
        values = index.vectors(kind, rows[kind]["key"]).astype(np.float64)
        vectors[kind] = values - values.mean(axis=0, keepdims=True) if len(values) else values
    weighted = np.concatenate([values / np.sqrt(max(1, len(values))) for values in vectors.values()])
    size = min(2, *weighted.shape)
    pca = PCA(size, svd_solver="full").fit(weighted) if len(weighted) > 1 else None
    axes = np.zeros((2, weighted.shape[1]))
    explained = [0.0, 0.0]
    if pca is not None and np.isfinite(pca.explained_variance_ratio_).all():
        axes[:size] = pca.components_
        explained[:size] = pca.explained_variance_ratio_.tolist()
    names = {label: _names(rows, label) for label in _LABELS}
    fields, compounds = (_points(rows[kind], vectors[kind] @ axes.T, names, totals[kind]) for kind in rows)
    return SpaceMap(
        explained=explained,
        fields=fields,
        compounds=compounds,
        moa=names["moa"],
        plate=names["plate"],
        fold=names["fold"],
    )


def _names(rows: dict[str, pd.DataFrame], label: str) -> list[str]:
    """Entries of a column, the most common first."""
    columns = [_labels(table, label) for table in rows.values()]
    counts = pd.concat(columns).value_counts()
    return counts.sort_index().sort_values(ascending=False, kind="stable").index.tolist()


def _labels(table: pd.DataFrame, label: str) -> pd.Series:
    if label not in table:
        return pd.Series([None] * len(table), dtype=object)
    labels = table[label].astype(object)
    if label == "fold" and "control" in table:
        labels = labels.mask(table["control"].astype(bool), "control")
    return labels


def _points(table: pd.DataFrame, places: np.ndarray, names: dict[str, list[str]], total: int) -> Points:
    codes = {label: pd.Index(names[label]).get_indexer(pd.Index(_labels(table, label))).tolist() for label in _LABELS}
    key = table["key"]
    text = table["compound"].where(table["compound"].notna(), "control" if "control" in table else key)
    x, y = np.round(places, 4).T.tolist() if len(places) else ([], [])
    return Points(keys=key.tolist(), names=text.astype(str).tolist(), x=x, y=y, total=total, **codes)

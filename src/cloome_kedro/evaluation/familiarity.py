"""How similar a query is to what a model was trained on, and from where on it is unlike anything seen.

For queries of the validation fold, whose compounds training never saw, the similarity to the nearest training example
is known. A query of a user that is less similar than nearly all of them is *unlike anything seen*: what the study
measured says nothing about it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Methods

#: column of the table `familiarity` -> share of the validation queries with a lower similarity
QUANTILES = {"lowest": 0.0, "q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75}
#: a query with a lower similarity than this quantile is unlike anything seen
UNFAMILIAR = "q01"

_QUERIES = ("validation", "test")
_BLOCK = 1024  # queries whose similarities are in memory at a time


def nearest_similarity(
    queries: np.ndarray,
    references: np.ndarray,
    query_groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
) -> np.ndarray:
    """Largest dot product of each query with a reference. For rows of length 1 it is the cosine of the nearest one.

    Parameters
    ----------
    queries, references
        (N, d) and (M, d) vectors.
    query_groups, reference_groups
        (N,) and (M,) values, such as plates. References of the query's group do not count. None: all count.

    Returns
    -------
    numpy.ndarray
        (N,) float64. NaN where no reference is left.

    Examples
    --------
    >>> references = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> nearest_similarity(np.array([[1.0, 0.0]]), references)
    array([1.])
    >>> nearest_similarity(np.array([[1.0, 0.0]]), references, ["P1"], ["P1", "P2"])
    array([0.6])
    """
    nearest = np.full(len(queries), np.nan)
    if not len(references):
        return nearest
    codes = None
    if query_groups is not None:
        codes = pd.factorize(np.concatenate([np.asarray(query_groups), np.asarray(reference_groups)]))[0]
    for start in range(0, len(queries), _BLOCK):
        part = slice(start, start + _BLOCK)
        similarity = (queries[part] @ references.T).astype(np.float64)
        if codes is not None:
            similarity[codes[: len(queries)][part, None] == codes[len(queries) :]] = -np.inf
        largest = similarity.max(axis=1)
        nearest[part] = np.where(np.isfinite(largest), largest, np.nan)
    return nearest


def nearest_tanimoto(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Largest Tanimoto coefficient of each fingerprint with a reference.

    Two fingerprints without any bit have the coefficient 1.

    Parameters
    ----------
    queries, references
        (N, b) and (M, b) bits, 0 or 1.

    Returns
    -------
    numpy.ndarray
        (N,) float64. NaN if there are no references.

    Examples
    --------
    >>> nearest_tanimoto(np.array([[1, 1, 0]]), np.array([[1, 0, 0], [0, 0, 1]]))
    array([0.5])
    """
    nearest = np.full(len(queries), np.nan)
    if not len(references):
        return nearest
    references = references.astype(np.float32)
    sizes = references.sum(axis=1)
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK].astype(np.float32)
        shared = block @ references.T
        either = block.sum(axis=1)[:, None] + sizes - shared
        nearest[start : start + _BLOCK] = np.divide(
            shared, either, out=np.ones_like(shared), where=either > 0, dtype=np.float32
        ).max(axis=1)
    return nearest


def familiarity_row(calibration: np.ndarray, tested: np.ndarray, references: int) -> dict[str, float | int]:
    """Quantiles of the similarities of validation queries, and the share of test queries that is below the lowest 1 %.

    Parameters
    ----------
    calibration, tested
        (N,) and (T,) similarities of validation and of test queries with their nearest reference. NaN are left out.
    references
        Number of references.

    Returns
    -------
    dict
        Columns of the table ``familiarity``. Without a validation query, quantiles are NaN.
    """
    calibration, tested = calibration[~np.isnan(calibration)], tested[~np.isnan(tested)]
    row: dict[str, float | int] = {"calibration": len(calibration), "references": references, "queries": len(tested)}
    for name, share in QUANTILES.items():
        row[name] = float(np.quantile(calibration, share)) if len(calibration) else np.nan
    known = len(calibration) and len(tested)
    row["test_q50"] = float(np.median(tested)) if len(tested) else np.nan
    row["unlike"] = float((tested < row[UNFAMILIAR]).mean()) if known else np.nan
    return row


def familiarity_of_methods(
    methods: Methods, folds: Mapping[str, pd.DataFrame], at_most: int, seed: int
) -> list[dict[str, object]]:
    """Rows of the table ``familiarity`` of embeddings: fields, and compounds if the method has vectors of them.

    Training fields on the plate of a query do not count, unless all training fields are on one plate.

    Parameters
    ----------
    methods
        Methods by their names.
    folds
        ``train``, ``validation`` and ``test`` -> rows of the table ``examples``. The last two can be empty.
    at_most
        Most queries of a fold. They are drawn if there are more.
    seed
        Seed of the draw.
    """
    rows: list[dict[str, object]] = []
    apart = folds["train"]["plate"].nunique() > 1
    for name, method in methods.items():
        fields = {fold: table[method.fields.knows(table["field_id"])] for fold, table in folds.items()}
        similarity = []
        training = method.unit_fields(fields["train"]["field_id"])
        for fold in _QUERIES:
            asked = (
                fields[fold].iloc[_draw(len(fields[fold]), at_most, seed)] if fold in fields else fields["train"][:0]
            )
            groups = (asked["plate"], fields["train"]["plate"]) if apart else (None, None)
            similarity.append(nearest_similarity(method.unit_fields(asked["field_id"]), training, *groups))
        row = familiarity_row(similarity[0], similarity[1], len(training))
        rows.append({"method": name, "side": "image", "measure": "cosine", "apart": apart, **row})
        if method.compounds is None:
            continue
        keys = {fold: _compounds(table, at_most if fold in _QUERIES else None, seed) for fold, table in folds.items()}
        known = {fold: of_fold[method.compounds.knows(of_fold)] for fold, of_fold in keys.items()}
        structures = {fold: unit_rows(method.compounds.of(of_fold)) for fold, of_fold in known.items()}
        found = [nearest_similarity(structures[fold], structures["train"]) for fold in _QUERIES]
        row = familiarity_row(found[0], found[1], len(structures["train"]))
        rows.append({"method": name, "side": "compound", "measure": "cosine", "apart": False, **row})
    return rows


def familiarity_of_structures(
    packed: np.ndarray, folds: Mapping[str, pd.DataFrame], at_most: int, seed: int
) -> dict[str, object]:
    """Row of the table ``familiarity`` of fingerprints, which needs no model.

    Parameters
    ----------
    packed
        (compounds, bits / 8) uint8 packed fingerprints; ``structure_row`` of the folds points at its rows.
    folds, at_most, seed
        As in :func:`familiarity_of_methods`.
    """
    bits = {}
    for fold, table in folds.items():
        keys = _compounds(table, at_most if fold in _QUERIES else None, seed)
        rows = table.drop_duplicates("inchikey").set_index("inchikey")["structure_row"].loc[keys]
        bits[fold] = np.unpackbits(packed[rows.to_numpy(np.int64)], axis=1)
    found = [nearest_tanimoto(bits[fold], bits["train"]) for fold in _QUERIES]
    row = familiarity_row(found[0], found[1], len(bits["train"]))
    return {"method": None, "side": "compound", "measure": "Tanimoto", "apart": False, **row}


def _compounds(fields: pd.DataFrame, at_most: int | None, seed: int) -> np.ndarray:
    """Sorted InChIKeys of a fold, at most so many of them."""
    keys = np.sort(fields["inchikey"].unique().astype(object))
    return keys if at_most is None else keys[_draw(len(keys), at_most, seed)]


def _draw(n: int, at_most: int, seed: int) -> np.ndarray:
    """Positions of at most so many of n things, sorted."""
    if n <= at_most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, at_most, replace=False))


def unlike_anything(similarity: ArrayLike, row: Mapping | pd.Series) -> np.ndarray:
    """Whether queries are unlike anything seen: less similar than 99 % of the validation queries.

    Parameters
    ----------
    similarity
        (N,) similarity with the nearest training field or compound, as :func:`nearest_similarity` and
        :func:`nearest_tanimoto` give it.
    row
        Row of the table ``familiarity`` with the method, side and measure of the query.

    Returns
    -------
    numpy.ndarray
        (N,) bool. False where the quantile or the similarity is not known.

    Examples
    --------
    >>> unlike_anything([0.2, 0.6], {"q01": 0.4})
    array([ True, False])
    """
    return np.asarray(similarity, float) < float(row[UNFAMILIAR])

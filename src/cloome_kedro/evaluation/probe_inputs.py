"""Checks of the labels and features that probes are fitted to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def sorted_grid(c_grid: Sequence[float]) -> list[float]:
    """Sort the values of C. Raise ValueError if there are none, or if one is not positive and finite.

    >>> sorted_grid([10, 0.1, 1])
    [0.1, 1.0, 10.0]
    """
    grid = sorted(float(c) for c in c_grid)
    if not grid or not all(0 < c < float("inf") for c in grid):
        raise ValueError(f"c_grid must hold positive numbers, not {list(c_grid)}")
    return grid


def label_arrays(tables: Mapping[str, ArrayLike | pd.DataFrame]) -> dict[str, np.ndarray]:
    """Labels of each fold as (N, T) float64 of 1, 0 and NaN.

    Raises
    ------
    ValueError
        If folds have different numbers of assays, or a label is not 1, 0 or NaN.
    """
    labels = {fold: label_array(fold, table) for fold, table in tables.items()}
    if len(sizes := {values.shape[1] for values in labels.values()}) > 1:
        raise ValueError(f"labels of all folds must be of the same assays, but there are {sorted(sizes)} assays")
    return labels


def check_widths(features: Iterable[Tensor]) -> None:
    """Raise ValueError unless all features have the same width."""
    if len(widths := {values.shape[1] for values in features}) > 1:
        raise ValueError(f"features of all folds must have the same width, but the widths are {sorted(widths)}")


def describe(labels: dict[str, np.ndarray]) -> dict[str, Any]:
    """Columns of ``probing_scores`` that labels alone determine: which assays can be scored, and numbers of samples.

    Columns of scores are there too, and are NaN.

    Parameters
    ----------
    labels
        Fold -> (N, T) labels of T assays.
    """
    counts = {
        f"{fold}_{kind}s": (values == value).sum(axis=0)
        for fold, values in labels.items()
        for kind, value in (("active", 1), ("inactive", 0))
    }
    lacking = np.array([np.where(number == 0, name.replace("_", ": no "), "") for name, number in counts.items()])
    reasons = ["; ".join(filter(None, column)) or None for column in lacking.T]
    empty = np.full(len(reasons), np.nan)
    return {
        "scored": np.array([reason is None for reason in reasons], dtype=bool),
        "reason": pd.array(reasons, dtype="str"),
        **dict.fromkeys(("c", "validation_auc", "auc", "f1", "average_precision", "mcc"), empty),
        **counts,
    }


def assay_names(tables: dict[str, ArrayLike | pd.DataFrame]) -> list:
    """Names of the assays: the columns of the tables, or numbers if all labels are arrays.

    Raises
    ------
    ValueError
        If two tables have different columns.
    """
    columns = {fold: list(table.columns) for fold, table in tables.items() if isinstance(table, pd.DataFrame)}
    if not columns:
        return list(range(np.shape(tables["train"])[-1]))
    first, *others = columns
    for fold in others:
        if columns[fold] != columns[first]:
            raise ValueError(f"{fold}_labels and {first}_labels must have the same columns in the same order")
    return columns[first]


def label_array(fold: str, table: ArrayLike | pd.DataFrame) -> np.ndarray:
    """Labels as (N, T) float64. Raise ValueError unless all are 1, 0 or NaN."""
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"{fold}_labels must be of shape (samples, assays), not {values.shape}")
    wrong = ~(np.isnan(values) | (values == 0) | (values == 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"{fold}_labels: {values[row, column]} in row {row}, column {column} is not 1, 0 or NaN")
    return values


def feature_tensor(name: str, values: ArrayLike, labels: np.ndarray) -> Tensor:
    """Features as (N, d) float32. Raise ValueError unless all are finite and there is one row per row of the labels."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) != len(labels):
        raise ValueError(f"features of {name} must be of shape ({len(labels)} samples, width), not {array.shape}")
    # A sum is five times as fast as a test of each value, and is finite only if all values are.
    if not np.isfinite(array.sum()) and (wrong := np.flatnonzero(~np.isfinite(array).all(axis=1))).size:
        raise ValueError(f"features of {name}: row {wrong[0]} is not finite")
    return torch.from_numpy(array)

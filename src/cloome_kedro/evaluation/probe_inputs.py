"""Checks of what probes are fitted to: labels and features of folds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor


def sorted_grid(c_grid: Sequence[float]) -> list[float]:
    """Values of C in order; ValueError unless they are positive numbers."""
    grid = sorted(float(c) for c in c_grid)
    if not grid or not all(0 < c < float("inf") for c in grid):
        raise ValueError(f"c_grid must hold positive numbers, not {list(c_grid)}")
    return grid


def label_arrays(tables: Mapping[str, ArrayLike | pd.DataFrame]) -> dict[str, np.ndarray]:
    """(N, T) of each fold; raises ValueError unless all are of as many assays, and of 1, 0 and NaN."""
    labels = {fold: label_array(fold, table) for fold, table in tables.items()}
    if len(sizes := {values.shape[1] for values in labels.values()}) > 1:
        raise ValueError(f"the folds' labels must be of the same assays, but they are of {sorted(sizes)}")
    return labels


def check_widths(features: Iterable[Tensor]) -> None:
    """ValueError unless all features are of one width."""
    if len(widths := {values.shape[1] for values in features}) > 1:
        raise ValueError(f"features of all folds must be of one width, but they are of {sorted(widths)}")


def describe(labels: dict[str, np.ndarray]) -> dict[str, Any]:
    """Columns of the table that say which assays can be scored, and of how many samples they are."""
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
    """Names of the assays, which are those of all tables that have names."""
    named = {fold: list(table.columns) for fold, table in tables.items() if isinstance(table, pd.DataFrame)}
    if not named:
        return list(range(np.shape(tables["train"])[-1]))
    first, *others = named
    for fold in others:
        if named[fold] != named[first]:
            raise ValueError(f"{fold}_labels has other columns than {first}_labels, or in another order")
    return named[first]


def label_array(fold: str, table: ArrayLike | pd.DataFrame) -> np.ndarray:
    """As (N, T) float64 of 1, 0 and NaN; raises ValueError for what is none of them."""
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"{fold}_labels must be of shape (samples, assays), not {values.shape}")
    if (wrong := np.argwhere(~(np.isnan(values) | (values == 0) | (values == 1)))).size:
        row, column = wrong[0]
        raise ValueError(f"{fold}_labels: {values[row, column]} in row {row}, column {column} is none of 1, 0 and NaN")
    return values


def feature_tensor(name: str, values: ArrayLike, labels: np.ndarray) -> Tensor:
    """As (N, d) float32; raises ValueError unless finite and of as many samples as the labels."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) != len(labels):
        raise ValueError(f"features of {name} must be of shape ({len(labels)} samples, width), not {array.shape}")
    if (wrong := np.flatnonzero(~np.isfinite(array).all(axis=1))).size:
        raise ValueError(f"features of {name}: row {wrong[0]} is not finite")
    return torch.from_numpy(array)

"""AnnData files (``.h5ad``), whose observations are wells or fields and whose variables are features."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_ROWS = 8192  # rows that are converted at once


def read_anndata(path: Path, matrix: str = "X") -> tuple[pd.DataFrame, list[str], np.ndarray]:
    """Read one matrix of an AnnData file with its observations. Other matrices are not read.

    Parameters
    ----------
    path
        The file.
    matrix
        ``X``, ``layers/NAME`` or ``obsm/NAME``. It can be dense or sparse; ``obsm`` can be a table.

    Returns
    -------
    observations : pandas.DataFrame
        The table ``obs``, without its index.
    names : list of str
        Names of the variables; for an array of ``obsm``, ``NAME_0``, ``NAME_1``, ...
    values : (observations, features) float32

    Raises
    ------
    ImportError
        If AnnData is not installed.
    ValueError
        If the file is not AnnData, or has no such matrix.
    """
    try:
        import h5py
        from anndata.io import read_elem
    except ImportError as error:
        raise ImportError(
            f"{path} needs AnnData, which is not installed: pip install 'cloome-kedro[anndata]'"
        ) from error
    try:
        with h5py.File(path) as file:
            if "obs" not in file or "var" not in file:
                raise ValueError("it has no obs and var")
            if matrix not in file:
                known = ["X", *(f"{group}/{name}" for group in ("layers", "obsm") for name in file.get(group, ()))]
                raise ValueError(f"there is no matrix {matrix}, only {', '.join(known)}")
            observations = read_elem(file["obs"]).reset_index(drop=True)
            stored = file[matrix]
            kind = stored.attrs.get("encoding-type", "array")
            if kind == "dataframe":
                table = read_elem(stored)
                names, source = [str(name) for name in table], _Frame(table)
            else:
                source = stored if kind == "array" else read_elem(stored)
                if matrix.startswith("obsm/"):
                    names = [f"{matrix.removeprefix('obsm/')}_{i}" for i in range(source.shape[1])]
                else:
                    names = [str(name) for name in read_elem(file["var"]).index]
            values = _dense(source, len(observations), names)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as AnnData: {error}") from error
    return observations.rename(columns=str), names, values


def write_anndata(path: Path, observations: pd.DataFrame, values: np.ndarray) -> None:
    """Write a matrix with its observations as AnnData.

    Parameters
    ----------
    path
        The file.
    observations
        Table ``obs``; its index has the names of the observations.
    values
        (observations, features): the matrix ``X``.

    Raises
    ------
    ImportError
        If AnnData is not installed.
    """
    try:
        from anndata import AnnData
    except ImportError as error:
        raise ImportError(
            "AnnData files need AnnData, which is not installed: pip install 'cloome-kedro[anndata]'"
        ) from error
    names = [f"embedding_{number:03d}" for number in range(values.shape[1])]
    # AnnData 0.11 cannot write the strings of pandas 3.
    with pd.option_context("future.infer_string", False):
        columns: dict[str, Any] = {}
        for name, column in observations.items():
            columns[str(name)] = column.to_numpy()
            if not pd.api.types.is_numeric_dtype(column):
                texts = pd.Series(column.astype(object).to_numpy(), dtype=object).fillna("").astype(str)
                columns[str(name)] = pd.Categorical(texts.to_numpy(object))
        obs = pd.DataFrame(columns, index=pd.Index(observations.index.astype(str).to_numpy(object), dtype=object))
        var = pd.DataFrame(index=pd.Index(names, dtype=object))
        AnnData(X=np.asarray(values, np.float32), obs=obs, var=var).write_h5ad(path)


class _Frame:
    """A table that is cut like an array."""

    def __init__(self, table: pd.DataFrame):
        self.table, self.shape = table, table.shape

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.table.iloc[rows].to_numpy(np.float32)


def _dense(source: Any, rows: int, names: list[str]) -> np.ndarray:
    if tuple(source.shape) != (rows, len(names)):
        raise ValueError(f"the matrix has the shape {tuple(source.shape)}, but must have {(rows, len(names))}")
    values = np.empty((rows, len(names)), np.float32)
    for start in range(0, rows, _ROWS):
        part = source[start : start + _ROWS]
        values[start : start + _ROWS] = part.toarray() if hasattr(part, "toarray") else part
    return values

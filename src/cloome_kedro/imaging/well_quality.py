"""One row per well: where it is, and what was measured on its fields."""

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS

#: rows and columns of plates with 6 to 3456 wells
FORMATS = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48), (48, 72))

_MEASURED = ("focus", "saturated", "mean")


def plate_shape(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the smallest usual plate that has a well in this row and this column.

    >>> plate_shape(16, 20), plate_shape(1, 12), plate_shape(99, 1)
    ((16, 24), (8, 12), (99, 72))
    """
    for shape in FORMATS:
        if rows <= shape[0] and columns <= shape[1]:
            return shape
    return max(rows, FORMATS[-1][0]), max(columns, FORMATS[-1][1])


def well_quality(fields: pd.DataFrame, cell_counts: pd.DataFrame) -> pd.DataFrame:
    """Average the measurements of fields over each well.

    Parameters
    ----------
    fields
        Table of this name. Screens without images have no statistics of images.
    cell_counts
        Table of this name. It may be empty.

    Returns
    -------
    pandas.DataFrame
        One row per plate and well: ``plate``, ``well``, ``row`` and ``column`` (from 1), ``edge`` (in the outermost
        rows and columns of the plate's format, which is that of the whole screen), ``control`` (all its fields are
        controls), ``fields`` (their number) and means over fields. These are ``cells``, if there are counts; ``focus``,
        the geometric mean over channels; ``saturated``, the largest share of a channel; and ``focus_``, ``saturated_``
        and ``mean_`` of each channel.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["a", "b"], "plate": "P", "well": "H12", "control": True})
    >>> counts = pd.DataFrame({"field_id": ["a", "b"], "nuclei": [10, 20]})
    >>> well_quality(fields, counts).iloc[0].to_dict() == {
    ...     "plate": "P", "well": "H12", "row": 8, "column": 12, "edge": True, "control": True, "fields": 2, "cells": 15
    ... }
    True
    """
    measured = [
        f"{name}_{channel}" for name in _MEASURED for channel in CHANNELS if f"{name}_{channel}" in fields.columns
    ]
    table = fields[["field_id", "plate", "well", "control", *measured]]
    if len(cell_counts):
        counts = cell_counts.set_index("field_id")["nuclei"].astype(float)
        table = table.assign(cells=counts.reindex(table["field_id"]).to_numpy())
        measured = ["cells", *measured]
    by_well = table.groupby(["plate", "well"], sort=True)
    wells = by_well["control"].agg(["all", "size"]).rename(columns={"all": "control", "size": "fields"})
    wells = wells.join(by_well[measured].mean()).reset_index() if measured else wells.reset_index()
    for name, combine in (("focus", _geometric_mean), ("saturated", lambda values: values.max(axis=1))):
        columns = [f"{name}_{channel}" for channel in CHANNELS if f"{name}_{channel}" in wells]
        if columns:
            wells.insert(list(wells.columns).index(columns[0]), name, combine(wells[columns]))
    parts = wells["well"].str.extract(r"^([A-Z]+)([0-9]+)$")
    rows = [sum((ord(letter) - 64) * 26**i for i, letter in enumerate(reversed(name))) for name in parts[0]]
    wells.insert(2, "row", np.array(rows, dtype=int))
    wells.insert(3, "column", parts[1].astype(int))
    height, width = plate_shape(wells["row"].max(), wells["column"].max()) if len(wells) else (1, 1)
    wells.insert(4, "edge", wells["row"].isin([1, height]) | wells["column"].isin([1, width]))
    return wells


def _geometric_mean(values: pd.DataFrame) -> pd.Series:
    with np.errstate(divide="ignore"):
        return pd.Series(np.exp(np.log(values.to_numpy(float)).mean(axis=1)), values.index)

"""Assay labels of a screen's compounds."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd


class ScreenLabels(NamedTuple):
    """Labels of a screen's compounds.

    Attributes
    ----------
    labels
        One row per compound with a label: ``inchikey``, then one column per assay: 1 active, 0 inactive, NaN not
        measured.
    rows
        Rows of the label table that are of compounds of the screen.
    conflicts
        Labels that count as not measured, since several ids of a compound disagree.
    """

    labels: pd.DataFrame
    rows: int
    conflicts: int


def labels_of_screen(assay_labels: pd.DataFrame, compound_keys: pd.DataFrame, inchikeys: Sequence[str]) -> ScreenLabels:
    """Join the table ``assay_labels`` to compounds, by ``inchikey`` or by the screen's own ``compound_id``.

    Parameters
    ----------
    assay_labels
        Columns ``inchikey`` or ``compound_id``, and one per assay: 1 active, 0 inactive, NaN not measured.
    compound_keys
        Table of that name: the InChIKey of each compound id.
    inchikeys
        Compounds that can be used.
    """
    if assay_labels.empty:
        return ScreenLabels(pd.DataFrame({"inchikey": pd.Series(dtype=str)}), 0, 0)
    key = "inchikey" if "inchikey" in assay_labels else "compound_id"
    assays, keys = assay_labels.drop(columns=key), assay_labels[key]
    if key == "compound_id":
        keys = keys.map(compound_keys.set_index("compound_id")["inchikey"])
    of_screen = keys.isin(pd.Index(inchikeys).dropna()).to_numpy()
    grouped = assays[of_screen].astype(float).groupby(keys[of_screen].to_numpy())
    lowest, highest = grouped.min(), grouped.max()
    conflict = lowest.ne(highest) & lowest.notna()
    labels = highest.mask(conflict).copy()  # one block of memory, however many assays
    labels = labels[labels.notna().any(axis=1)].rename_axis("inchikey").reset_index()
    return ScreenLabels(labels, int(of_screen.sum()), int(conflict.to_numpy().sum()))

"""Assay labels of a screen's compounds."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

_SHORT_KEYS = (25, 14)  # an InChIKey without the protonation, and its first block


class ScreenLabels(NamedTuple):
    """Labels of a screen's compounds.

    Attributes
    ----------
    labels
        One row per compound with a label: ``inchikey``, then one column per assay (1 active, 0 inactive, NaN not
        measured).
    rows
        Number of rows of the label table that belong to compounds of the screen.
    conflicts
        Number of labels that are set to NaN, because rows of the same compound disagree.
    """

    labels: pd.DataFrame
    rows: int
    conflicts: int


def labels_of_screen(assay_labels: pd.DataFrame, compound_keys: pd.DataFrame, inchikeys: Sequence[str]) -> ScreenLabels:
    """Select and merge the rows of the table ``assay_labels`` for the compounds of a screen.

    Parameters
    ----------
    assay_labels
        Column ``inchikey``, or ``compound_id`` as in the screen, and one column per assay (1 active, 0 inactive, NaN
        not measured). An InChIKey may be cut to 25 or 14 characters. Its labels are then those of all compounds of the
        screen whose InChIKey begins with it.
    compound_keys
        Columns ``compound_id``, ``inchikey``.
    inchikeys
        Compounds of the screen. Missing values are ignored.
    """
    if assay_labels.empty:
        return ScreenLabels(pd.DataFrame({"inchikey": pd.Series(dtype=str)}), 0, 0)
    key = "inchikey" if "inchikey" in assay_labels else "compound_id"
    assays, keys = assay_labels.drop(columns=key), assay_labels[key]
    if key == "compound_id":
        keys = keys.map(compound_keys.set_index("compound_id")["inchikey"])
    known = pd.Series(pd.Index(inchikeys).dropna().unique(), dtype=object)
    begins = [pd.DataFrame({"key": known.str[:length], "inchikey": known}) for length in (None, *_SHORT_KEYS)]
    rows = pd.DataFrame({"key": keys.to_numpy(object), "row": range(len(keys))})
    matches = rows.merge(pd.concat(begins).drop_duplicates(), on="key")
    grouped = assays.iloc[matches["row"]].astype(float).groupby(matches["inchikey"].to_numpy())
    lowest, highest = grouped.min(), grouped.max()
    conflict = lowest.ne(highest) & lowest.notna()
    labels = highest.mask(conflict).copy()  # a copy is not fragmented, however many assays there are
    labels = labels[labels.notna().any(axis=1)].rename_axis("inchikey").reset_index()
    return ScreenLabels(labels, matches["row"].nunique(), int(conflict.to_numpy().sum()))

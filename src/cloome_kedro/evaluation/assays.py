"""Probing of assays: which of a screen's compounds have labels, and how well probes of their features predict them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.probes import fit_probes

CLEAN = "clean"
FOLDS = ("train", "validation", "test")

#: a method's name and what its test images are: clean, or a corruption's name
Tested = tuple[str, str]


class ScreenLabels(NamedTuple):
    """Labels of a screen's compounds.

    Attributes
    ----------
    labels
        One row a compound with a label, by InChIKey; one column an assay: 1, 0 or NaN.
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
        Columns ``inchikey`` or ``compound_id``, and one an assay: 1 active, 0 inactive, NaN not measured.
    compound_keys
        Table of that name: the InChIKey of each compound id.
    inchikeys
        Compounds that can be used.

    Returns
    -------
    ScreenLabels
    """
    if "inchikey" in assay_labels:
        assays, keys = assay_labels.drop(columns="inchikey"), assay_labels["inchikey"]
    else:
        assays = assay_labels.drop(columns="compound_id")
        keys = assay_labels["compound_id"].map(compound_keys.set_index("compound_id")["inchikey"])
    of_screen = keys.isin(pd.Index(inchikeys).dropna()).to_numpy()
    grouped = assays[of_screen].astype(float).groupby(keys[of_screen].to_numpy())
    lowest, highest = grouped.min(), grouped.max()
    conflict = lowest.ne(highest) & lowest.notna()
    labels = highest.mask(conflict)
    return ScreenLabels(labels[labels.notna().any(axis=1)], int(of_screen.sum()), int(conflict.to_numpy().sum()))


@dataclass(frozen=True)
class Probed:
    """Probes of several methods for the same assays, scored on the same test samples.

    Attributes
    ----------
    table
        Table ``probing_scores`` without split and split hash.
    compounds
        (S,) compound of each test sample.
    labels
        (S, T) 1, 0 or NaN of the test samples in T assays.
    scores
        (method, images) -> (S, T) log odds of being active; NaN where an assay has no probe.
    """

    table: pd.DataFrame
    compounds: np.ndarray
    labels: np.ndarray
    scores: dict[Tested, np.ndarray]


def probe(
    features: Mapping[str, np.ndarray],
    compounds: np.ndarray,
    folds: np.ndarray,
    labels: pd.DataFrame,
    c_grid: Sequence[float],
    level: Literal["compound", "field"] = "compound",
    corrupted: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Probed:
    """Fit a probe for every method and assay on clean images, and score the test fold's images, clean and corrupted.

    Parameters
    ----------
    features
        Method -> (N, d) of N fields; profiles standardised.
    compounds, folds
        (N,) InChIKey of each field, and its fold. Fields without a label are left out.
    labels
        One row a compound, by InChIKey; one column an assay: 1, 0 or NaN (see :func:`labels_of_screen`).
    c_grid
        Inverse strengths of regularisation, of which validation AUC chooses.
    level
        What a sample is: a compound, with the mean over its fields, or a field, with its compound's labels.
    corrupted
        Corruption -> method -> (fields of the test fold, d), in the order in which ``features`` has them. Every method
        must be in ``features``.

    Returns
    -------
    Probed
    """
    compounds, folds = np.asarray(compounds), np.asarray(folds)
    labels = labels[labels.notna().any(axis=1)]
    labelled = pd.Index(compounds).isin(labels.index)
    samples = {fold: Samples.of(compounds[folds == fold], labelled[folds == fold], level) for fold in FOLDS}
    known = {fold: labels.loc[samples[fold].compounds] for fold in FOLDS}
    tables, scores = [], {}
    for method, values in features.items():
        train, validation, test = (samples[fold].features(values[folds == fold]) for fold in FOLDS)
        tests = {CLEAN: test}
        for images, others in (corrupted or {}).items():
            if method in others:
                tests[images] = samples["test"].features(others[method])
        fitted = fit_probes(train, known["train"], validation, known["validation"], tests, known["test"], c_grid)
        for images in tests:
            tables.append(fitted[images].table.assign(method=method, images=images))
            scores[method, images] = fitted[images].scores
    table = pd.concat(tables, ignore_index=True).assign(shown_by="mean" if level == "compound" else "field")
    return Probed(table, samples["test"].compounds, known["test"].to_numpy(float), scores)


class Samples(NamedTuple):
    """Samples of a fold: which fields (rows), and which compound each is of; made by ``of``."""

    fields: np.ndarray
    groups: np.ndarray | None
    compounds: np.ndarray

    @classmethod
    def of(cls, compounds: np.ndarray, labelled: np.ndarray, level: str) -> "Samples":
        fields = np.flatnonzero(labelled)
        if level == "field":
            return cls(fields, None, compounds[fields])
        names, groups = np.unique(compounds[fields], return_inverse=True)
        return cls(fields, groups, names)

    def features(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)[self.fields]
        if self.groups is None:
            return values
        return pd.DataFrame(values).groupby(self.groups).mean().to_numpy(copy=True)

"""Probing of assays: how well probes of features predict which compounds are active."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.probes import Labelled, fit_probes
from cloome_kedro.words import CLEAN, FOLDS

Level = Literal["compound", "field"]

#: a method's name and what its test images are: clean, or a corruption's name
Tested = tuple[str, str]


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


@dataclass(frozen=True)
class ProbeInputs:
    """What probes are fitted to, of all methods.

    Attributes
    ----------
    fields
        Rows of the table ``examples``. Fields without a label are left out.
    labels
        One row per compound, by InChIKey; one column per assay: 1, 0 or NaN.
    c_grid
        Inverse strengths of regularisation, of which validation AUC chooses.
    level
        What a sample is: a compound, with the mean over its fields, or a field, with its compound's labels.
    """

    fields: pd.DataFrame
    labels: pd.DataFrame
    c_grid: Sequence[float]
    level: Level = "compound"

    def features(self, method: Method) -> np.ndarray:
        """(N, d) of the fields, in their order; a field that the method does not know gets the training fold's mean."""
        keys = self.fields["field_id"].to_numpy()
        known = method.fields.knows(keys)
        if known.all():
            return method.fields.of(keys)
        found = method.fields.of(keys[known])
        mean = found[(self.fields["fold"] == "train").to_numpy()[known]].mean(axis=0)
        values = np.repeat(mean[None].astype(found.dtype), len(keys), axis=0)
        values[known] = found
        return values


def probe(
    features: Mapping[str, np.ndarray],
    inputs: ProbeInputs,
    corrupted: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Probed:
    """Fit a probe for every method and assay on clean images, and score the test fold's images, clean and corrupted.

    Parameters
    ----------
    features
        Method -> (N, d) of the fields of ``inputs``; profiles standardised.
    inputs
        Fields, labels and settings.
    corrupted
        Corruption -> method -> (fields of the test fold, d), in the order in which ``inputs`` has them. Every method
        must be in ``features``.
    """
    compounds, folds = inputs.fields["inchikey"].to_numpy(), inputs.fields["fold"].to_numpy()
    labels = inputs.labels[inputs.labels.notna().any(axis=1)]
    labelled = pd.Index(compounds).isin(labels.index)
    samples = {fold: Samples.of(compounds[folds == fold], labelled[folds == fold], inputs.level) for fold in FOLDS}
    known = {fold: labels.loc[samples[fold].compounds] for fold in FOLDS}
    tables, scores = [], {}
    for method, values in features.items():
        train, validation, test = (samples[fold].features(values[folds == fold]) for fold in FOLDS)
        tests = {CLEAN: test}
        for images, others in (corrupted or {}).items():
            if method in others:
                tests[images] = samples["test"].features(others[method])
        fitted = fit_probes(
            Labelled(train, known["train"]), Labelled(validation, known["validation"]), tests, known["test"],
            c_grid=inputs.c_grid,
        )  # fmt: skip
        for images in tests:
            tables.append(fitted[images].table.assign(method=method, images=images))
            scores[method, images] = fitted[images].scores
    shown_by = "mean" if inputs.level == "compound" else "field"
    table = pd.concat(tables, ignore_index=True).assign(shown_by=shown_by)
    return Probed(table, samples["test"].compounds, known["test"].to_numpy(float), scores)


class Samples(NamedTuple):
    """Samples of a fold, made by :meth:`of`: fields, the group of each in a mean (None: no means), and compounds."""

    fields: np.ndarray
    groups: np.ndarray | None
    compounds: np.ndarray

    @classmethod
    def of(cls, compounds: np.ndarray, labelled: np.ndarray, level: Level) -> "Samples":
        """Of fields whose compounds are labelled."""
        fields = np.flatnonzero(labelled)
        if level == "field":
            return cls(fields, None, compounds[fields])
        names, groups = np.unique(compounds[fields], return_inverse=True)
        return cls(fields, groups, names)

    def features(self, values: np.ndarray) -> np.ndarray:
        """Features of the samples, from those of the fold's fields."""
        values = np.asarray(values)[self.fields]
        if self.groups is None:
            return values
        return pd.DataFrame(values).groupby(self.groups).mean().to_numpy(copy=True)

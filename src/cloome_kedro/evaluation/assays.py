"""Probing of assays: how well linear probes of features predict which compounds are active."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.probes import Labelled, fit_probes
from cloome_kedro.pooling import weigh
from cloome_kedro.words import CLEAN, FOLDS

Level = Literal["compound", "field"]

#: name of a method, and the images that its probes are scored on: ``clean``, or the name of a corruption
Tested = tuple[str, str]


@dataclass(frozen=True)
class Probed:
    """Probes of several methods for the same assays, scored on the same test samples.

    Attributes
    ----------
    table
        Table ``probing_scores`` without the columns ``split`` and ``split_hash``.
    compounds
        (S,) compound of each test sample.
    labels
        (S, T) labels of the test samples in T assays: 1 active, 0 inactive, NaN not measured.
    scores
        (method, images) -> (S, T) log odds of being active. The column of an assay without a probe is NaN.
    """

    table: pd.DataFrame
    compounds: np.ndarray
    labels: np.ndarray
    scores: dict[Tested, np.ndarray]


@dataclass(frozen=True)
class ProbeInputs:
    """Fields, labels and settings of probing. They are the same for all methods.

    Attributes
    ----------
    fields
        Rows of the table ``examples``. Fields of compounds without a label are left out.
    labels
        One row per compound, with its InChIKey as index, and one column per assay: 1, 0 or NaN.
    c_grid
        Inverse strengths of regularisation. The one with the highest validation AUC is chosen for each assay.
    level
        What a sample is. ``compound``: a compound, with the mean of its fields' features. ``field``: a field, with the
        labels of its compound.
    """

    fields: pd.DataFrame
    labels: pd.DataFrame
    c_grid: Sequence[float]
    level: Level = "compound"

    def features(self, method: Method) -> np.ndarray:
        """Vectors of a method for the fields, in their order: (N, d).

        A field that the method does not know gets the mean vector of the training fold's known fields. If compounds are
        samples and the method weights their fields, vectors are multiplied by the weights.
        """
        keys = self.fields["field_id"].to_numpy()
        known = method.fields.knows(keys)
        trained = (self.fields["fold"] == "train").to_numpy()[known]
        values = _filled(method.fields.of(keys[known]), known, trained)
        logits = method.fields.logits_of(keys[known])
        if self.level == "field" or logits is None:
            return values
        compounds = self.fields.groupby(["fold", "inchikey"], observed=True).ngroup().to_numpy()
        return weigh(values, _filled(logits, known, trained), compounds)

    def test_features(self, embeddings: Embeddings) -> np.ndarray:
        """Vectors for the F fields of the test fold, in their order, weighted as in :meth:`features`: (F, d)."""
        tested = self.fields[self.fields["fold"] == "test"]
        if self.level == "field":
            return embeddings.of(tested["field_id"])
        return embeddings.for_means(tested["field_id"], tested["inchikey"].to_numpy())


def _filled(values: np.ndarray, known: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Put values (K, ...) in the known rows of all rows (N, ...). The others get the mean of the trained values."""
    if known.all():
        return values
    filled = np.repeat(values[trained].mean(axis=0, keepdims=True).astype(values.dtype), len(known), axis=0)
    filled[known] = values
    return filled


def probe(
    features: Mapping[str, np.ndarray],
    inputs: ProbeInputs,
    corrupted: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Probed:
    """Fit probes for every method and assay to clean images, and score them on clean and corrupted test images.

    Parameters
    ----------
    features
        Method -> (N, d) features of the fields of ``inputs``, in their order. Profiles must be standardised.
    inputs
        Fields, labels and settings.
    corrupted
        Corruption -> method -> (F, d) features of the F fields of the test fold, in the order of ``inputs``. Every
        method must be in ``features``.
    """
    folds = inputs.fields["fold"].to_numpy()
    samples, sample_labels = samples_by_fold(inputs)
    tables, scores = [], {}
    for method, values in features.items():
        train, validation, test = (samples[fold].features(values[folds == fold]) for fold in FOLDS)
        tests = {CLEAN: test}
        for corruption, corrupted_values in (corrupted or {}).items():
            if method in corrupted_values:
                tests[corruption] = samples["test"].features(corrupted_values[method])
        scored = fit_probes(
            Labelled(train, sample_labels["train"]),
            Labelled(validation, sample_labels["validation"]),
            tests,
            sample_labels["test"],
            c_grid=inputs.c_grid,
        )
        for images in tests:
            tables.append(scored[images].table.assign(method=method, images=images))
            scores[method, images] = scored[images].scores
    shown_by = "mean" if inputs.level == "compound" else "field"
    table = pd.concat(tables, ignore_index=True).assign(shown_by=shown_by)
    return Probed(table, samples["test"].compounds, sample_labels["test"].to_numpy(float), scores)


class Samples(NamedTuple):
    """Samples of a fold. :meth:`of` makes them.

    Attributes
    ----------
    fields
        (L,) positions of the labelled fields among the fields of the fold.
    groups
        (L,) number of the sample that each labelled field belongs to; None if each field is a sample.
    compounds
        (S,) compound of each sample.
    """

    fields: np.ndarray
    groups: np.ndarray | None
    compounds: np.ndarray

    @classmethod
    def of(cls, compounds: np.ndarray, has_labels: np.ndarray, level: Level) -> "Samples":
        """Make the samples of a fold.

        Parameters
        ----------
        compounds
            (F,) compound of each field of the fold.
        has_labels
            (F,) bool: whether this compound has labels. Other fields are left out.
        level
            As in :class:`ProbeInputs`.
        """
        fields = np.flatnonzero(has_labels)
        if level == "field":
            return cls(fields, None, compounds[fields])
        names, groups = np.unique(compounds[fields], return_inverse=True)
        return cls(fields, groups, names)

    def features(self, values: np.ndarray, logits: np.ndarray | None = None) -> np.ndarray:
        """Features of the samples, (S, d), from the features of the fold's fields, (F, d).

        Logits (F,) weight the fields of a compound, see :func:`cloome_kedro.pooling.weigh`.
        """
        values = np.asarray(values)[self.fields]
        if self.groups is None:
            return values
        values = weigh(values, None if logits is None else logits[self.fields], self.groups)
        return pd.DataFrame(values).groupby(self.groups).mean().to_numpy(copy=True)


def samples_by_fold(inputs: ProbeInputs) -> tuple[dict[str, Samples], dict[str, pd.DataFrame]]:
    """Samples of each fold, and their labels. Compounds without any label are left out."""
    compounds, folds = inputs.fields["inchikey"].to_numpy(), inputs.fields["fold"].to_numpy()
    labels = inputs.labels[inputs.labels.notna().any(axis=1)]
    has_labels = pd.Index(compounds).isin(labels.index)
    samples = {fold: Samples.of(compounds[folds == fold], has_labels[folds == fold], inputs.level) for fold in FOLDS}
    return samples, {fold: labels.loc[samples[fold].compounds] for fold in FOLDS}

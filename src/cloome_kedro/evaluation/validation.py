"""Validation metrics that measure tasks on the validation fold: one number each, higher is better.

They are measured after every epoch on the same fields. Everything that does not change between epochs is therefore
prepared once. They never use the test fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.assays import Level, Samples
from cloome_kedro.evaluation.probes import Labelled, validation_aucs
from cloome_kedro.evaluation.zero_shot import rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import Plan, plan_zero_shot
from cloome_kedro.evaluation.zero_shot_protocols import classes_of
from cloome_kedro.words import ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

_DRAWS = 10


@dataclass(frozen=True)
class ValidationData:
    """Data that validation metrics can use.

    Attributes
    ----------
    fields
        Rows of the table ``examples``, of the training and the validation fold.
    labels
        Table ``labels`` with the InChIKey as index: one column per assay, 1, 0 or NaN.
    c_grid, level
        Settings of probing, see :class:`~cloome_kedro.evaluation.assays.ProbeInputs`.
    """

    fields: pd.DataFrame
    labels: pd.DataFrame
    c_grid: Sequence[float]
    level: Level = "compound"


@dataclass(frozen=True)
class _ZeroShotTop1:
    """Top-1 accuracy of zero-shot classification by the published protocol, as the mean over several draws.

    In each draw, one field of every class is drawn as its reference. All other fields are queries. No reference is
    excluded.
    """

    fields: np.ndarray
    plans: list[Plan]
    task = ""

    @classmethod
    def of(cls, data: ValidationData, seed: int) -> "_ZeroShotTop1":
        """Prepare the metric for the fields of the validation fold.

        Raises
        ------
        ValueError
            If no field has a known class, or if no class has a second field, which could be a query.
        """
        fields = data.fields.reset_index(drop=True)
        labelled = classes_of(fields[fields["fold"] == "validation"])[cls.task]
        if labelled.empty:
            raise ValueError("no field has a known class")
        plans = [plan_zero_shot(labelled, seed=seed, draw=draw) for draw in range(_DRAWS)]
        if not all(len(plan.queries) for plan in plans):
            raise ValueError(f"none of {labelled['label'].nunique()} classes has two fields")
        return cls(labelled.index.to_numpy(), plans)

    @property
    def identity(self) -> str:
        """Text that changes if the fields or their classes change."""
        return str(pd.util.hash_pandas_object(self.plans[0].fields, index=False).sum())

    def __call__(self, embeddings: np.ndarray) -> float:
        """Measure L2-normalised embeddings (N, d) of the fields, in their order."""
        ranks = [rank_by_plan(plan, embeddings, embeddings)["rank"] for plan in self.plans]
        return float(np.mean([(rank == 1).mean() for rank in ranks]))


class ZeroShotCompoundTop1(_ZeroShotTop1):
    """Top-1 accuracy for the question: which compound does a field show."""

    task = ZERO_SHOT_COMPOUND


class ZeroShotMoaTop1(_ZeroShotTop1):
    """Top-1 accuracy for the question: which mechanism does a field show."""

    task = ZERO_SHOT_MOA


@dataclass(frozen=True)
class ProbingAuc:
    """Mean over assays of the validation AUC of linear probes that are fitted to the training fold.

    The AUC of an assay is that of its best C, as in :func:`~cloome_kedro.evaluation.probes.fit_probes`. Assays that
    lack a class in one of the two folds are left out.
    """

    fields: np.ndarray
    folds: np.ndarray
    samples: dict[str, Samples]
    labels: dict[str, np.ndarray]
    c_grid: Sequence[float]
    weighs_fields = True

    @classmethod
    def of(cls, data: ValidationData, seed: int) -> "ProbingAuc":
        """Prepare the metric for the labelled fields of both folds. The seed has no effect.

        Raises
        ------
        ValueError
            If no compound has a label, or if no assay has both classes in both folds.
        """
        has_labels = data.fields["inchikey"].isin(data.labels.index[data.labels.notna().any(axis=1)]).to_numpy()
        if not has_labels.any():
            raise ValueError("no compound has a label")
        labelled = data.fields[has_labels]
        compounds, folds = labelled["inchikey"].to_numpy(), labelled["fold"].to_numpy()
        samples, sample_labels = {}, {}
        for fold in ("train", "validation"):
            fold_compounds = compounds[folds == fold]
            samples[fold] = Samples.of(fold_compounds, np.ones(len(fold_compounds), bool), data.level)
            sample_labels[fold] = data.labels.loc[samples[fold].compounds].to_numpy(float)
        has_both_classes = [(values == 0).any(axis=0) & (values == 1).any(axis=0) for values in sample_labels.values()]
        scorable = np.logical_and(*has_both_classes)
        if not scorable.any():
            raise ValueError(
                f"none of {data.labels.shape[1]} assays has actives and inactives in both the training and the "
                "validation fold"
            )
        labels = {fold: values[:, scorable] for fold, values in sample_labels.items()}
        return cls(np.flatnonzero(has_labels), folds, samples, labels, data.c_grid)

    @property
    def identity(self) -> str:
        """Text that changes if the labels or the settings of probing change."""
        sums = [int(pd.util.hash_array(np.nan_to_num(values, nan=-1).ravel()).sum()) for values in self.labels.values()]
        return f"{sums} {self.c_grid} {[sample.groups is None for sample in self.samples.values()]}"

    def __call__(self, embeddings: np.ndarray, logits: np.ndarray | None = None) -> float:
        """Measure embeddings (N, d) of the fields, in their order; logits (N,) weight the fields of a compound."""
        train, validation = (
            Labelled(
                samples.features(embeddings[of_fold], None if logits is None else logits[of_fold]), self.labels[fold]
            )
            for fold, samples in self.samples.items()
            for of_fold in [self.folds == fold]
        )
        return float(validation_aucs(train, validation, self.c_grid).mean())

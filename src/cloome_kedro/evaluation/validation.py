"""What a model in training reaches on the validation fold, task by task: one number for each, the higher the better.

Each is measured after every epoch on the same fields, so what does not change is prepared once. The test fold has no
part in any of them.
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
    """What validation metrics can ask about.

    Attributes
    ----------
    fields
        Rows of the table ``examples``, of the training and the validation fold.
    labels
        Table ``labels``, by InChIKey: one column per assay, 1, 0 or NaN.
    c_grid, level
        How assays are probed, see :class:`~cloome_kedro.evaluation.assays.ProbeInputs`.
    """

    fields: pd.DataFrame
    labels: pd.DataFrame
    c_grid: Sequence[float]
    level: Level = "compound"


@dataclass(frozen=True)
class _ZeroShotTop1:
    """Top-1 accuracy of zero-shot classification by the published protocol.

    Every class has one seeded field as its reference, all its others are queries, nothing is excluded; the mean over
    several draws of references.
    """

    fields: np.ndarray
    plans: list[Plan]
    task = ""

    @classmethod
    def of(cls, data: ValidationData, seed: int) -> "_ZeroShotTop1":
        """Plan for the fields of the validation fold.

        Raises
        ------
        ValueError
            If no field is of a known class, or no class has a second field that could be asked about.
        """
        fields = data.fields.reset_index(drop=True)
        asked = classes_of(fields[fields["fold"] == "validation"])[cls.task]
        if asked.empty:
            raise ValueError("no field is of a known class")
        plans = [plan_zero_shot(asked, seed=seed, draw=draw) for draw in range(_DRAWS)]
        if not all(len(plan.queries) for plan in plans):
            raise ValueError(f"none of {asked['label'].nunique()} classes has two fields")
        return cls(asked.index.to_numpy(), plans)

    @property
    def identity(self) -> str:
        """Tells apart what it scores by."""
        return str(pd.util.hash_pandas_object(self.plans[0].fields, index=False).sum())

    def __call__(self, embeddings: np.ndarray) -> float:
        """Of (N, d) L2-normalised embeddings of the fields, in their order."""
        ranks = [rank_by_plan(plan, embeddings, embeddings)["rank"] for plan in self.plans]
        return float(np.mean([(rank == 1).mean() for rank in ranks]))


class ZeroShotCompoundTop1(_ZeroShotTop1):
    """Which compound does a field show."""

    task = ZERO_SHOT_COMPOUND


class ZeroShotMoaTop1(_ZeroShotTop1):
    """Which mechanism does a field show."""

    task = ZERO_SHOT_MOA


@dataclass(frozen=True)
class ProbingAuc:
    """Mean over assays of the validation AUC of linear probes that are fitted to the training fold.

    Each assay has the AUC of the C with the highest, as by :func:`~cloome_kedro.evaluation.probes.fit_probes`. Assays
    that lack a class in one of the two folds are left out.
    """

    fields: np.ndarray
    folds: np.ndarray
    samples: dict[str, Samples]
    labels: dict[str, np.ndarray]
    c_grid: Sequence[float]

    @classmethod
    def of(cls, data: ValidationData, seed: int) -> "ProbingAuc":
        """Prepare for the labelled fields of both folds; the seed has no effect.

        Raises
        ------
        ValueError
            If no compound has a label, or no assay both classes in both folds.
        """
        labelled = data.fields["inchikey"].isin(data.labels.index[data.labels.notna().any(axis=1)]).to_numpy()
        if not labelled.any():
            raise ValueError("no compound has a label")
        asked = data.fields[labelled]
        compounds, folds = asked["inchikey"].to_numpy(), asked["fold"].to_numpy()
        samples, known = {}, {}
        for fold in ("train", "validation"):
            of_fold = compounds[folds == fold]
            samples[fold] = Samples.of(of_fold, np.ones(len(of_fold), bool), data.level)
            known[fold] = data.labels.loc[samples[fold].compounds].to_numpy(float)
        both = [(values == 0).any(axis=0) & (values == 1).any(axis=0) for values in known.values()]
        scorable = np.logical_and(*both)
        if not scorable.any():
            raise ValueError(
                f"none of {data.labels.shape[1]} assays has actives and inactives in both the training and the "
                "validation fold"
            )
        labels = {fold: values[:, scorable] for fold, values in known.items()}
        return cls(np.flatnonzero(labelled), folds, samples, labels, data.c_grid)

    @property
    def identity(self) -> str:
        """Tells apart what it scores by."""
        sums = [int(pd.util.hash_array(np.nan_to_num(values, nan=-1).ravel()).sum()) for values in self.labels.values()]
        return f"{sums} {self.c_grid} {[sample.groups is None for sample in self.samples.values()]}"

    def __call__(self, embeddings: np.ndarray) -> float:
        """Of (N, d) embeddings of the fields, in their order."""
        train, validation = (
            Labelled(part.features(embeddings[self.folds == fold]), self.labels[fold])
            for fold, part in self.samples.items()
        )
        return float(validation_aucs(train, validation, self.c_grid).mean())

"""What a model in training reaches on the validation fold, task by task: by one number, the higher the better.

Each is measured again and again, of the same fields as the model changes, so what does not change is made once. The
test fold has no part in any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.assays import Samples
from cloome_kedro.evaluation.probes import validation_aucs
from cloome_kedro.evaluation.zero_shot import rank_by_plan
from cloome_kedro.evaluation.zero_shot_plan import Plan, plan_zero_shot


@dataclass(frozen=True)
class ZeroShotTop1:
    """Top-1 accuracy of zero-shot classification by the published protocol, made by :meth:`of`.

    Every class has one seeded field as its reference, all its others are queries, nothing is excluded; the mean over
    several draws of references.
    """

    plans: list[Plan]

    @classmethod
    def of(cls, fields: pd.DataFrame, seed: int, draws: int = 10) -> "ZeroShotTop1":
        """Plan for fields of the validation fold.

        Parameters
        ----------
        fields
            Columns field_id, plate, well, inchikey, and label, the class.
        seed, draws
            Of the references.

        Raises
        ------
        ValueError
            If there is no field, or no class has a second one that could be asked about.
        """
        if fields.empty:
            raise ValueError("no field is of a known class")
        plans = [plan_zero_shot(fields, seed=seed, draw=draw) for draw in range(draws)]
        if not all(len(plan.queries) for plan in plans):
            raise ValueError(f"none of {fields['label'].nunique()} classes has two fields")
        return cls(plans)

    def __call__(self, embeddings: np.ndarray) -> float:
        """Of (N, d) L2-normalised embeddings of the planned fields, in their order."""
        ranks = [rank_by_plan(plan, embeddings, embeddings)["rank"] for plan in self.plans]
        return float(np.mean([(rank == 1).mean() for rank in ranks]))


@dataclass(frozen=True)
class ProbingAuc:
    """Mean over assays of the validation AUC of linear probes that are fitted to the training fold, made by :meth:`of`.

    Of each assay it is that of the C with the highest, as by :func:`~cloome_kedro.evaluation.probes.fit_probes`. Assays
    that lack a class in one of the two folds are left out.
    """

    folds: np.ndarray
    samples: dict[str, Samples]
    labels: dict[str, np.ndarray]
    c_grid: Sequence[float]

    @classmethod
    def of(
        cls,
        compounds: np.ndarray,
        folds: np.ndarray,
        labels: pd.DataFrame,
        c_grid: Sequence[float],
        level: Literal["compound", "field"] = "compound",
    ) -> "ProbingAuc":
        """Prepare for fields of both folds.

        Parameters
        ----------
        compounds, folds
            (N,) InChIKey of each field, and its fold: train or validation. Fields without a label are left out.
        labels, c_grid, level
            As in :func:`~cloome_kedro.evaluation.assays.probe`.

        Raises
        ------
        ValueError
            If no compound has a label, or no assay both classes in both folds.
        """
        if labels.empty:
            raise ValueError("no compound has a label")
        compounds, folds = np.asarray(compounds), np.asarray(folds)
        labelled = np.isin(compounds, labels.index[labels.notna().any(axis=1)])
        samples, known = {}, {}
        for fold in ("train", "validation"):
            samples[fold] = Samples.of(compounds[folds == fold], labelled[folds == fold], level)
            known[fold] = labels.loc[samples[fold].compounds].to_numpy(float)
        both = [(values == 0).any(axis=0) & (values == 1).any(axis=0) for values in known.values()]
        scorable = np.logical_and(*both)
        if not scorable.any():
            raise ValueError(
                f"none of {labels.shape[1]} assays has actives and inactives in both the training and the validation "
                "fold"
            )
        return cls(folds, samples, {fold: values[:, scorable] for fold, values in known.items()}, c_grid)

    def __call__(self, embeddings: np.ndarray) -> float:
        """Of (N, d) embeddings of the fields, in their order."""
        train, validation = (part.features(embeddings[self.folds == fold]) for fold, part in self.samples.items())
        aucs = validation_aucs(train, self.labels["train"], validation, self.labels["validation"], self.c_grid)
        return float(aucs.mean())

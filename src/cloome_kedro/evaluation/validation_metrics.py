"""Validation metrics of downstream tasks, by name: trainings can keep the epoch that is best by one of them.

An entry is a class with a class method ``of(data, seed)`` that prepares the metric for the fields of a
:class:`~cloome_kedro.evaluation.validation.ValidationData`. It has the attribute ``fields``, the positions of the
fields that it needs, and is called with their embeddings. A new metric is one class and one line here, or a class that
a module of your own registers by ``VALIDATION_METRICS.register``.

Facts of an entry: ``label``, as people read it; ``task`` and ``metric``, the rows of the tables ``metrics`` that
measure the same on the test fold.
"""

from typing import Any

from cloome_kedro.registry import Registry
from cloome_kedro.words import PROBING, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

VALIDATION_METRICS: Registry[Any] = Registry("validation metric")
VALIDATION_METRICS.add(
    "zero_shot_compound_top1",
    "cloome_kedro.evaluation.validation:ZeroShotCompoundTop1",
    label="zero-shot compound top-1",
    task=ZERO_SHOT_COMPOUND,
    metric="top-1",
)
VALIDATION_METRICS.add(
    "zero_shot_moa_top1",
    "cloome_kedro.evaluation.validation:ZeroShotMoaTop1",
    label="zero-shot mechanism top-1",
    task=ZERO_SHOT_MOA,
    metric="top-1",
)
VALIDATION_METRICS.add(
    "probing_auc",
    "cloome_kedro.evaluation.validation:ProbingAuc",
    label="mean AUC of probed assays",
    task=PROBING,
    metric="mean AUC",
)

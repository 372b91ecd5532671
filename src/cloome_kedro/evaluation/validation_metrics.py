"""Registry of the validation metrics that measure tasks. A training can keep the epoch with the best value of one.

An entry is a class with a class method ``of(data, seed)``, which prepares the metric for the fields of a
:class:`~cloome_kedro.evaluation.validation.ValidationData`. An instance is called with the embeddings of the fields at
the positions in its attribute ``fields``. Its attribute ``identity`` is text that changes if the metric is measured on
other data. If ``weighs_fields`` is true, a model with the pooling ``attention`` also passes the logits of the fields,
(N,), as second argument. To add a metric, add a class and an entry here, or register a class of your own module by
``VALIDATION_METRICS.register``.

Facts of an entry: ``label`` is the name in reports of a search. ``task`` and ``metric`` name the rows of the tables
``metrics`` that hold the same metric for the test fold.
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

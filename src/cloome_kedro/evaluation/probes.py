"""Linear probes: how well a logistic regression on features predicts each of many assays.

The protocol is the published one: per assay the C whose fit to the training fold has the highest validation AUC, a
refit to training and validation fold, scores on the test fold. The regressions are solved by
:mod:`cloome_kedro.evaluation.logistic`, all C of an assay as one path, assays of few samples in batches and batches in
as many threads as torch has.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score
from torch import Tensor
from tqdm.auto import tqdm

from cloome_kedro.evaluation.logistic import LogisticRegressions
from cloome_kedro.evaluation.probe_inputs import (
    assay_names,
    check_widths,
    describe,
    feature_tensor,
    label_arrays,
    sorted_grid,
)
from cloome_kedro.words import FOLDS

#: inverse strengths of regularisation, 10^-6 to 10^6
C_GRID = tuple(10.0**power for power in range(-6, 7))

_BATCH = 1 << 19  # values of features in a batch of assays: 2 MiB, which stays in a core's cache
_PATH, _REFIT = 3e-3, 3e-4  # relative errors of margins: to choose C by, and to be scored


class Scored(NamedTuple):
    """Probes of all assays on one test matrix.

    Attributes
    ----------
    table
        What :func:`fit_probes` says.
    scores
        (S, T) float64: log odds of being active for each test sample, measured or not (probabilities would tie where
        they round to 1); NaN in the whole column of an assay that is not scored.
    """

    table: pd.DataFrame
    scores: np.ndarray


class Labelled(NamedTuple):
    """A fold's samples: features (N, d), and labels (N, T): 1 active, 0 inactive, NaN not measured.

    Labels are an array, or a table whose columns name the assays.
    """

    features: ArrayLike
    labels: ArrayLike | pd.DataFrame


def fit_probes(
    train: Labelled,
    validation: Labelled,
    test: Mapping[str, ArrayLike],
    test_labels: ArrayLike | pd.DataFrame,
    c_grid: Sequence[float] = C_GRID,
    device: str | torch.device = "cpu",
) -> dict[str, Scored]:
    """Fit a probe for each assay and score it on the test fold.

    A probe is a logistic regression with an L2 penalty and a free intercept, as scikit-learn's
    ``LogisticRegression(C)``, where C multiplies the sum of the losses. Features are used as they are; the caller
    scales what needs scaling.

    Parameters
    ----------
    train, validation
        Samples of these folds.
    test
        (S, d) features by name (clean and corrupted images of the same samples); all are scored with the same probes.
    test_labels
        (S, T) labels.
    c_grid
        Values of C to choose from; of those with the same validation AUC the smallest is taken.
    device
        Where torch computes.

    Returns
    -------
    dict
        For each name of ``test`` its table and scores. The table has one row per assay, in the order of the labels:
        assay, scored, reason (of an assay that cannot be scored: a fold lacks a class), c, validation_auc, auc, f1 (at
        probability 0.5), average_precision, mcc, and of each fold ``{fold}_actives``, ``{fold}_inactives``.

    Raises
    ------
    ValueError
        If shapes or assays differ between folds, a label is none of 1, 0 and NaN, a feature is not finite, or a C is
        not positive.
    """
    grid = sorted_grid(c_grid)
    tables = dict(zip(FOLDS, (train.labels, validation.labels, test_labels), strict=True))
    assays, labels = assay_names(tables), label_arrays(tables)
    fitted = {"train": feature_tensor("train", train.features, labels["train"])}
    fitted["validation"] = feature_tensor("validation", validation.features, labels["validation"])
    tested = {name: feature_tensor(name, values, labels["test"]) for name, values in test.items()}
    check_widths((*fitted.values(), *tested.values()))

    table = pd.DataFrame({"assay": assays, **describe(labels)})
    scorable = np.flatnonzero(table["scored"])
    probes = _fit_all(fitted, labels, scorable, grid, torch.device(device))
    table.loc[scorable, "c"] = probes.c
    table.loc[scorable, "validation_auc"] = probes.validation_auc
    results = {}
    for name, values in tested.items():
        scores = np.full(labels["test"].shape, np.nan)
        # In float64: at a small C scores differ far less than the intercept is large, and would tie in float32.
        scores[:, scorable] = values.double().numpy() @ probes.w.T.astype(float) + probes.b
        scored = table.copy()
        for assay in scorable:
            known = ~np.isnan(labels["test"][:, assay])
            for metric, value in _metrics(labels["test"][known, assay], scores[known, assay]).items():
                scored.loc[assay, metric] = value
        results[name] = Scored(scored, scores)
    return results


def validation_aucs(
    train: Labelled, validation: Labelled, c_grid: Sequence[float] = C_GRID, device: str | torch.device = "cpu"
) -> np.ndarray:
    """The ``validation_auc`` of :func:`fit_probes`, without a refit and without a test fold.

    Returns
    -------
    numpy.ndarray
        (T,) float64: by the best C; NaN where the training or the validation fold lacks a class.
    """
    grid = sorted_grid(c_grid)
    labels = label_arrays({"train": train.labels, "validation": validation.labels})
    features = {
        "train": feature_tensor("train", train.features, labels["train"]),
        "validation": feature_tensor("validation", validation.features, labels["validation"]),
    }
    check_widths(features.values())
    scorable = np.flatnonzero(describe(labels)["scored"])
    aucs = np.full(labels["train"].shape[1], np.nan)
    aucs[scorable] = _fit_all(features, labels, scorable, grid, torch.device(device), refit=False).validation_auc
    return aucs


class _Probes(NamedTuple):
    """Of the assays that can be scored: (T, d) coefficients, (T,) intercepts, C and validation AUC."""

    w: np.ndarray
    b: np.ndarray
    c: np.ndarray
    validation_auc: np.ndarray


def _fit_all(
    features: dict[str, Tensor], labels: dict[str, np.ndarray], assays: np.ndarray, grid, device, refit: bool = True
) -> _Probes:
    size = features["train"].shape[1]
    result = _Probes(np.zeros((len(assays), size), np.float32), *(np.zeros(len(assays)) for _ in range(3)))
    batches = _batches([sum(int((~np.isnan(labels[fold][:, a])).sum()) for fold in features) for a in assays], size)

    def fit(batch: list[int]) -> int:
        found = _fit_batch(features, labels, assays[batch], grid, device, refit)
        for whole, part in zip(result, found, strict=True):
            whole[batch] = part
        return len(batch)

    threads = torch.get_num_threads()
    workers = threads if device.type == "cpu" else 1

    def alone() -> None:
        torch.set_num_threads(1)  # operations are small: threads are worth more across batches than within operations

    try:
        with (
            ThreadPoolExecutor(workers, initializer=alone if workers > 1 else None) as pool,
            tqdm(total=len(assays), desc="probing", unit="assay", delay=1, disable=not refit) as progress,
        ):
            for done in pool.map(fit, batches):
                progress.update(done)
    finally:
        torch.set_num_threads(threads)
    return result


def _batches(samples: list[int], size: int) -> list[list[int]]:
    """Assays of about as many samples together, those of the most samples first."""
    batches: list[list[int]] = []
    largest = 0
    for assay in sorted(range(len(samples)), key=lambda assay: -samples[assay]):
        if not batches or (len(batches[-1]) + 1) * largest * size > _BATCH:
            batches.append([])
            largest = samples[assay]
        batches[-1].append(assay)
    return batches


def _fit_batch(
    features: dict[str, Tensor], labels: dict[str, np.ndarray], assays: np.ndarray, grid, device, refit: bool
) -> _Probes:
    """Choose C and fit, for assays whose samples are padded to those of the largest.

    Without a refit coefficients are those of the training fold.
    """
    rows = {fold: [np.flatnonzero(~np.isnan(labels[fold][:, assay])) for assay in assays] for fold in features}
    lengths = [max(map(len, rows[fold])) for fold in features]
    train = lengths[0]  # samples of the training fold come first, then padding, then those of the validation fold
    x = torch.zeros(len(assays), sum(lengths), features["train"].shape[1])
    y, known = torch.zeros(x.shape[:2]), torch.zeros(x.shape[:2])
    for i, assay in enumerate(assays):
        for fold, start in zip(features, (0, train), strict=True):
            part = slice(start, start + len(rows[fold][i]))
            torch.index_select(features[fold], 0, torch.from_numpy(rows[fold][i]), out=x[i, part])
            y[i, part] = torch.from_numpy(labels[fold][rows[fold][i], assay]).float()
            known[i, part] = 1
    x, y, known = x.to(device), y.to(device), known.to(device)
    mean = (known[:, None] @ x) / known.sum(1)[:, None, None]
    x -= mean
    x *= known[..., None]
    basis = None
    if x.shape[1] < x.shape[2]:  # coefficients lie in the span of the samples
        basis, triangle = torch.linalg.qr(x.mT)
        x = triangle.mT.contiguous()

    cs = torch.tensor(grid, device=device, dtype=x.dtype)
    path = LogisticRegressions(x[:, :train], y[:, :train], known[:, :train])
    solutions = []
    for c in cs:
        path.solve(c.expand(len(assays)), _PATH)
        solutions.append((path.w, path.b))
    w, b = (torch.stack(values, -1) for values in zip(*solutions, strict=True))
    margins = (x[:, train:] @ w).cpu().numpy()
    aucs = np.empty((len(assays), len(grid)))
    for i, assay in enumerate(assays):
        samples = rows["validation"][i]
        aucs[i] = _aucs(labels["validation"][samples, assay], margins[i, : len(samples)].T)
    best = torch.from_numpy(aucs.argmax(axis=1)).to(device)  # the smallest C of several

    final = LogisticRegressions(x, y, known)
    each = torch.arange(len(assays), device=device)
    final.start(w[each, :, best], b[each, best])
    if (
        refit and not final.solve(cs[best], _REFIT).all()
    ):  # far from there, where classes were separable: all the way then
        final = LogisticRegressions(x, y, known)
        for i in range(int(best.max()) + 1):
            final.solve(cs[best.clamp(max=i)], _PATH)
        final.solve(cs[best], _REFIT)
    w = final.w if basis is None else (basis @ final.w[..., None])[..., 0]
    intercept = final.b - (mean[:, 0] * w).sum(1)
    return _Probes(w.cpu().numpy(), intercept.cpu().numpy(), np.array(grid)[best.cpu()], aucs.max(axis=1))


def _aucs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Areas under the ROC curves of scores (..., N) by the Mann-Whitney statistic, ties counting half."""
    active = labels == 1
    actives, inactives = active.sum(), (~active).sum()
    below = rankdata(scores, axis=-1)[..., active].sum(axis=-1) - actives * (actives + 1) / 2
    return below / (actives * inactives)


def _metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    active, called = labels == 1, scores > 0
    hits, misses = float((active & called).sum()), float((active & ~called).sum())
    alarms, rest = float((~active & called).sum()), float((~active & ~called).sum())
    product = (hits + alarms) * (hits + misses) * (rest + alarms) * (rest + misses)
    return {
        "auc": float(_aucs(labels, scores)),
        "f1": 2 * hits / (2 * hits + alarms + misses),
        "average_precision": float(average_precision_score(labels, scores)),
        "mcc": (hits * rest - alarms * misses) / product**0.5 if product else 0.0,  # as scikit-learn has it
    }

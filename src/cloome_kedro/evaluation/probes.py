"""Linear probes: how well a logistic regression on features predicts each of many assays.

The protocol is the published one. For each assay, probes are fitted to the training fold, one for each C. The C with
the highest validation AUC is chosen. The probe is fitted again to training and validation fold with this C, and scored
on the test fold.

:mod:`cloome_kedro.evaluation.logistic` solves the regressions. The values of C of an assay are solved one after the
other. Assays with few samples are solved in batches. Each thread of torch solves one batch at a time.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score
from torch import Tensor
from tqdm.auto import tqdm

from cloome_kedro.evaluation.auc import aucs
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

_METRICS = "auc", "f1", "average_precision", "mcc"
_BATCH = 1 << 19  # values of features in a batch of assays: 2 MiB, which stay in the cache of a core
_PATH_TOLERANCE = 3e-3  # relative error of the margins from which C is chosen
_REFIT_TOLERANCE = 3e-4  # relative error of the margins that are scored


class Scored(NamedTuple):
    """Scores of the probes of all assays on one matrix of test features.

    Attributes
    ----------
    table
        One row per assay, see :func:`fit_probes`.
    scores
        (S, T) float64: log odds of being active, also for test samples that were not measured. The column of an assay
        that is not scored is NaN. Probabilities would tie where they round to 1.
    """

    table: pd.DataFrame
    scores: np.ndarray


class Labelled(NamedTuple):
    """Samples of a fold.

    Attributes
    ----------
    features
        (N, d).
    labels
        (N, T): 1 active, 0 inactive, NaN not measured. An array, or a table whose columns name the assays.
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

    A probe is a logistic regression with an L2 penalty and an intercept that is not penalised. It has the objective of
    scikit-learn's ``LogisticRegression(C)``, where C multiplies the sum of the losses. Features are not scaled: scale
    them before if they need it.

    Parameters
    ----------
    train, validation
        Samples of these folds.
    test
        Name -> (S, d) features, for example of clean and corrupted images of the same samples. All are scored with the
        same probes.
    test_labels
        (S, T) labels of the test samples.
    c_grid
        Values of C to choose from. If several have the highest validation AUC, the smallest is chosen.
    device
        Device on which torch computes.

    Returns
    -------
    dict
        Name of the test features -> table and scores. The table has one row per assay, in the order of the labels, with
        the columns

        - ``assay``;
        - ``scored``, and ``reason`` if it is false: the classes that a fold lacks;
        - ``c`` and ``validation_auc``;
        - ``auc``, ``f1`` (at probability 0.5), ``average_precision``, ``mcc``;
        - ``<fold>_actives`` and ``<fold>_inactives``: numbers of samples.

    Raises
    ------
    ValueError
        If shapes or assays differ between folds, a label is not 1, 0 or NaN, a feature is not finite, or a C is not
        positive.

    Examples
    --------
    >>> labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> samples = Labelled(np.array([[-2.0], [-1.0], [1.0], [2.0]]), labels)
    >>> probes = fit_probes(samples, samples, {"clean": [[-1.0], [3.0], [2.0], [4.0]]}, labels)
    >>> probes["clean"].table[["assay", "scored", "auc", "test_actives"]]
       assay  scored   auc  test_actives
    0      0    True  0.75             2
    """
    grid = sorted_grid(c_grid)
    tables = dict(zip(FOLDS, (train.labels, validation.labels, test_labels), strict=True))
    assays, labels = assay_names(tables), label_arrays(tables)
    features = {
        "train": feature_tensor("train", train.features, labels["train"]),
        "validation": feature_tensor("validation", validation.features, labels["validation"]),
    }
    test_features = {name: feature_tensor(name, values, labels["test"]) for name, values in test.items()}
    check_widths((*features.values(), *test_features.values()))

    table = pd.DataFrame({"assay": assays, **describe(labels)})
    scorable = np.flatnonzero(table["scored"])
    probes = solve_probes(features, labels, scorable, grid, torch.device(device))
    table.loc[scorable, ["c", "validation_auc"]] = np.stack([probes.c, probes.validation_auc], axis=1)
    results = {}
    for name, values in test_features.items():
        columns = np.full((len(assays), len(values)), np.nan)  # scores of an assay lie together
        # In float64: at a small C the differences of scores are tiny beside the intercept, and float32 would give ties.
        columns[scorable] = probes.w.astype(float) @ values.double().numpy().T + probes.b[:, None]
        scores, scored = columns.T, table.copy()
        measured = ~np.isnan(labels["test"])
        metrics = [_metrics(*(part[measured[:, i], i] for part in (labels["test"], scores))) for i in scorable]
        scored.loc[scorable, list(_METRICS)] = np.array(metrics).reshape(-1, len(_METRICS))
        results[name] = Scored(scored, scores)
    return results


def validation_aucs(
    train: Labelled, validation: Labelled, c_grid: Sequence[float] = C_GRID, device: str | torch.device = "cpu"
) -> np.ndarray:
    """Compute the ``validation_auc`` of :func:`fit_probes`, with the same parameters, but without a test fold.

    Returns
    -------
    numpy.ndarray
        (T,) float64: AUC of the best C. NaN where the training or the validation fold lacks a class.
    """
    grid = sorted_grid(c_grid)
    labels = label_arrays({"train": train.labels, "validation": validation.labels})
    features = {
        "train": feature_tensor("train", train.features, labels["train"]),
        "validation": feature_tensor("validation", validation.features, labels["validation"]),
    }
    check_widths(features.values())
    scorable = np.flatnonzero(describe(labels)["scored"])
    result = np.full(labels["train"].shape[1], np.nan)
    result[scorable] = solve_probes(features, labels, scorable, grid, torch.device(device), refit=False).validation_auc
    return result


class Probes(NamedTuple):
    """Probes of T assays: coefficients (T, d), intercepts (T,), C (T,) and validation AUC (T,)."""

    w: np.ndarray
    b: np.ndarray
    c: np.ndarray
    validation_auc: np.ndarray


def solve_probes(
    features: dict[str, Tensor], labels: dict[str, np.ndarray], assays: np.ndarray, grid, device, refit: bool = True
) -> Probes:
    """Choose C and fit the probes of some columns of the labels. Without a refit, they are of the training fold."""
    size = features["train"].shape[1]
    result = Probes(np.zeros((len(assays), size), np.float32), *(np.zeros(len(assays)) for _ in range(3)))
    samples = [sum(int((~np.isnan(labels[fold][:, assay])).sum()) for fold in features) for assay in assays]

    def fit(batch: list[int]) -> int:
        probes = _fit_batch(features, labels, assays[batch], grid, device, refit)
        for whole, part in zip(result, probes, strict=True):
            whole[batch] = part
        return len(batch)

    threads = torch.get_num_threads()
    workers = threads if device.type == "cpu" else 1

    def use_one_thread() -> None:
        torch.set_num_threads(1)  # single operations are too small to gain from several threads; batches do

    try:
        with (
            ThreadPoolExecutor(workers, initializer=use_one_thread if workers > 1 else None) as pool,
            tqdm(total=len(assays), desc="probing", unit="assay", delay=1, disable=not refit) as progress,
        ):
            for fitted in pool.map(fit, _batches(samples, size)):
                progress.update(fitted)
    finally:
        torch.set_num_threads(threads)
    return result


def _batches(samples: list[int], size: int) -> list[list[int]]:
    """Group assays with similar numbers of samples, those with the most samples first."""
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
) -> Probes:
    """Choose C and fit the probes of some assays, padded to the assay with the most samples.

    Without a refit, coefficients are those of the training fold.
    """
    rows = {fold: [np.flatnonzero(~np.isnan(labels[fold][:, assay])) for assay in assays] for fold in features}
    lengths = [max(map(len, rows[fold])) for fold in features]
    train = lengths[0]  # samples of the training fold come first, then padding, then samples of the validation fold
    x = torch.empty(len(assays), sum(lengths), features["train"].shape[1])
    y, known = torch.zeros(x.shape[:2]), torch.zeros(x.shape[:2])
    for i, assay in enumerate(assays):
        for fold, start, end in zip(features, (0, train), (train, None), strict=True):
            part = slice(start, start + len(rows[fold][i]))
            x[i, part.stop : end] = 0
            torch.index_select(features[fold], 0, torch.from_numpy(rows[fold][i]), out=x[i, part])
            y[i, part] = torch.from_numpy(labels[fold][rows[fold][i], assay]).float()
            known[i, part] = 1
    x, y, known = (values.to(device) for values in (x, y, known))
    mean = (known[:, None] @ x) / known.sum(1)[:, None, None]
    x -= mean
    if len(assays) > 1:
        x *= known[..., None]  # padding is 0 again
    basis = None
    if x.shape[1] < x.shape[2]:  # coefficients lie in the span of the samples, which has fewer dimensions
        basis, triangle = torch.linalg.qr(x.mT)
        x = triangle.mT.contiguous()

    cs = torch.tensor(grid, device=device, dtype=x.dtype)
    path = LogisticRegressions(x[:, :train], y[:, :train], known[:, :train])
    solutions = []
    for c in cs:
        path.solve(c.expand(len(assays)), _PATH_TOLERANCE)
        solutions.append((path.w, path.b))
    w, b = (torch.stack(values, -1) for values in zip(*solutions, strict=True))
    margins = (x[:, train:] @ w).cpu().numpy()
    grid_aucs = np.empty((len(assays), len(grid)))
    for i, assay in enumerate(assays):
        samples = rows["validation"][i]
        grid_aucs[i] = aucs(labels["validation"][samples, assay], margins[i, : len(samples)].T)
    best = torch.from_numpy(grid_aucs.argmax(axis=1)).to(device)  # argmax takes the first, which is the smallest C

    final = LogisticRegressions(x, y, known)
    each = torch.arange(len(assays), device=device)
    final.start(w[each, :, best], b[each, best])
    if refit and not final.solve(cs[best], _REFIT_TOLERANCE).all():
        # If the training fold was separable, the start can be far from the solution. Then solve all C up to the best.
        final = LogisticRegressions(x, y, known)
        for i in range(int(best.max()) + 1):
            final.solve(cs[best.clamp(max=i)], _PATH_TOLERANCE)
        final.solve(cs[best], _REFIT_TOLERANCE)
    w = final.w if basis is None else (basis @ final.w[..., None])[..., 0]
    intercept = final.b - (mean[:, 0] * w).sum(1)
    return Probes(w.cpu().numpy(), intercept.cpu().numpy(), np.array(grid)[best.cpu()], grid_aucs.max(axis=1))


def _metrics(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float, float, float]:
    """Compute the values of :data:`_METRICS`."""
    active, called = labels == 1, scores > 0
    tp, fn = float((active & called).sum()), float((active & ~called).sum())
    fp, tn = float((~active & called).sum()), float((~active & ~called).sum())
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    mcc = (tp * tn - fp * fn) / product**0.5 if product else 0.0  # 0 for a product of 0, as in scikit-learn
    return float(aucs(labels, scores)), 2 * tp / (2 * tp + fp + fn), float(average_precision_score(labels, scores)), mcc

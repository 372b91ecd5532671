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

#: inverse strengths of regularisation, 10^-6 to 10^6
C_GRID = tuple(10.0**power for power in range(-6, 7))

_FOLDS = ("train", "validation", "test")
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


def fit_probes(
    train: ArrayLike,
    train_labels: ArrayLike | pd.DataFrame,
    validation: ArrayLike,
    validation_labels: ArrayLike | pd.DataFrame,
    test: ArrayLike | Mapping[str, ArrayLike],
    test_labels: ArrayLike | pd.DataFrame,
    c_grid: Sequence[float] = C_GRID,
    device: str | torch.device = "cpu",
) -> pd.DataFrame | dict[str, Scored]:
    """Fit a probe for each assay and score it on the test fold.

    A probe is a logistic regression with an L2 penalty and a free intercept, as scikit-learn's
    ``LogisticRegression(C)``, where C multiplies the sum of the losses. Features are used as they are: what needs
    scaling is scaled by the caller.

    Parameters
    ----------
    train, validation
        (N, d) features of the folds' samples.
    train_labels, validation_labels, test_labels
        (N, T) 1 active, 0 inactive, NaN not measured: arrays, or tables whose columns name the assays.
    test
        (S, d) features, or several such matrices by name (clean and corrupted images of the same samples), all of which
        are scored with the same probes.
    c_grid
        Values of C to choose from; of those with the same validation AUC the smallest is taken.
    device
        Where torch computes.

    Returns
    -------
    pd.DataFrame or dict[str, Scored]
        One row an assay, in the order of the labels: assay, scored, reason (of one that cannot be scored: a fold lacks
        a class), c, validation_auc, auc, f1 (at probability 0.5), average_precision, mcc, and of each fold
        ``{fold}_actives``, ``{fold}_inactives``. Where ``test`` has names: for each name its table and scores.

    Raises
    ------
    ValueError
        If shapes or assays differ between folds, a label is none of 1, 0 and NaN, a feature is not finite, or a C is
        not positive.
    """
    tests = test if isinstance(test, Mapping) else {"test": test}
    grid = sorted(float(c) for c in c_grid)
    if not grid or not all(0 < c < float("inf") for c in grid):
        raise ValueError(f"c_grid must hold positive numbers, not {list(c_grid)}")
    tables = dict(zip(_FOLDS, (train_labels, validation_labels, test_labels), strict=True))
    assays = _assays(tables)
    labels = {fold: _labels(fold, table) for fold, table in tables.items()}
    if len(sizes := {len(assays), *(values.shape[1] for values in labels.values())}) > 1:
        raise ValueError(f"the folds' labels must be of the same assays, but they are of {sorted(sizes)}")
    fitted = {"train": _features("train", train, labels["train"])}
    fitted["validation"] = _features("validation", validation, labels["validation"])
    tested = {name: _features(name, values, labels["test"]) for name, values in tests.items()}
    if len(widths := {values.shape[1] for values in (*fitted.values(), *tested.values())}) > 1:
        raise ValueError(f"features of all folds must be of one width, but they are of {sorted(widths)}")

    table = pd.DataFrame({"assay": assays, **_describe(labels)})
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
    return results if isinstance(test, Mapping) else results["test"].table


class _Probes(NamedTuple):
    """Of the assays that can be scored: (T, d) coefficients, (T,) intercepts, C and validation AUC."""

    w: np.ndarray
    b: np.ndarray
    c: np.ndarray
    validation_auc: np.ndarray


def _fit_all(features: dict[str, Tensor], labels: dict[str, np.ndarray], assays: np.ndarray, grid, device) -> _Probes:
    size = features["train"].shape[1]
    result = _Probes(np.zeros((len(assays), size), np.float32), *(np.zeros(len(assays)) for _ in range(3)))
    batches = _batches([sum(int((~np.isnan(labels[fold][:, a])).sum()) for fold in features) for a in assays], size)

    def fit(batch: list[int]) -> int:
        found = _fit_batch(features, labels, assays[batch], grid, device)
        for whole, part in zip(result, found, strict=True):
            whole[batch] = part
        return len(batch)

    threads = torch.get_num_threads()
    workers = threads if device.type == "cpu" else 1

    def alone() -> None:
        torch.set_num_threads(1)  # many small operations: a thread a batch is worth more than several an operation

    try:
        with (
            ThreadPoolExecutor(workers, initializer=alone if workers > 1 else None) as pool,
            tqdm(total=len(assays), desc="probing", unit="assay", delay=1) as progress,
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


def _fit_batch(features: dict[str, Tensor], labels: dict[str, np.ndarray], assays: np.ndarray, grid, device) -> _Probes:
    """Choose C and fit, for assays whose samples are padded to those of the largest."""
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
    if not final.solve(cs[best], _REFIT).all():  # far from there, where classes were separable: all the way then
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


def _describe(labels: dict[str, np.ndarray]) -> dict[str, object]:
    """Columns of the table that say which assays can be scored, and of how many samples they are."""
    counts = {
        f"{fold}_{kind}s": (values == value).sum(axis=0)
        for fold, values in labels.items()
        for kind, value in (("active", 1), ("inactive", 0))
    }
    lacking = np.array([np.where(number == 0, name.replace("_", ": no "), "") for name, number in counts.items()])
    reasons = ["; ".join(filter(None, column)) or None for column in lacking.T]
    empty = np.full(len(reasons), np.nan)
    return {
        "scored": np.array([reason is None for reason in reasons], dtype=bool),
        "reason": pd.array(reasons, dtype="str"),
        **dict.fromkeys(("c", "validation_auc", "auc", "f1", "average_precision", "mcc"), empty),
        **counts,
    }


def _assays(tables: dict[str, ArrayLike | pd.DataFrame]) -> list:
    """Names of the assays, which are those of all tables that have names."""
    named = {fold: list(table.columns) for fold, table in tables.items() if isinstance(table, pd.DataFrame)}
    if not named:
        return list(range(np.shape(tables["train"])[-1]))
    first, *others = named
    for fold in others:
        if named[fold] != named[first]:
            raise ValueError(f"{fold}_labels has other columns than {first}_labels, or in another order")
    return named[first]


def _labels(fold: str, table: ArrayLike | pd.DataFrame) -> np.ndarray:
    """As (N, T) float64 of 1, 0 and NaN; raises ValueError for what is none of them."""
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"{fold}_labels must be of shape (samples, assays), not {values.shape}")
    if (wrong := np.argwhere(~(np.isnan(values) | (values == 0) | (values == 1)))).size:
        row, column = wrong[0]
        raise ValueError(f"{fold}_labels: {values[row, column]} in row {row}, column {column} is none of 1, 0 and NaN")
    return values


def _features(name: str, values: ArrayLike, labels: np.ndarray) -> Tensor:
    """As (N, d) float32; raises ValueError unless finite and of as many samples as the labels."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) != len(labels):
        raise ValueError(f"features of {name} must be of shape ({len(labels)} samples, width), not {array.shape}")
    if (wrong := np.flatnonzero(~np.isfinite(array).all(axis=1))).size:
        raise ValueError(f"features of {name}: row {wrong[0]} is not finite")
    return torch.from_numpy(array)

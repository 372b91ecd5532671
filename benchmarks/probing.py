"""Compare the time of ``fit_probes`` with that of the published code, on all assays of a real label matrix.

CLOOME_DATA=... python benchmarks/probing.py --level field --assays 20

The published code (``linear_probing.py`` of ml-jku/cloome, here also with C = 10, which its grid omits) processes
assays one by one. For every C it fits scikit-learn's ``LogisticRegression(max_iter=3000)`` and scores the training and
validation samples. Then it fits again with the best C, on samples of arrays that it joins for each assay.

``fit_probes`` is measured on all assays. The published code is measured on a sample of them: the assays are sorted by
their number of labels and cut into strata of about the same time, and the middle assay of each stratum stands for the
others. With ``--assays`` of at least the number of assays, all are measured. Both are measured with one thread by
processor time, and with the default number of threads by wall time. ``--check`` also prints how far the results of the
sampled assays are from scikit-learn's.

Labels are those of ``$CLOOME_DATA/labels/label-matrix.mtx``. Features are random vectors of 512 values. For each label
of a compound, its vector is moved along the direction of the assay, by the strength of the assay. The fields of a
compound scatter around its vector. All features have length 1. Compounds are split 60 : 20 : 20.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import scipy.io
import torch
from measuring import processor_seconds, row
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score
from threadpoolctl import threadpool_limits

from cloome_kedro.evaluation.probes import C_GRID, Labelled, fit_probes

T = TypeVar("T")

FIELDS, SIZE = 25, 512


def samples(level: str, seed: int = 0) -> list[np.ndarray]:
    """Make features and labels of the training fold, then those of the validation fold and the test fold."""
    matrix = scipy.io.mmread(Path(os.environ["CLOOME_DATA"]) / "labels" / "label-matrix.mtx").tocsr()
    generator = np.random.default_rng(seed)
    compounds, assays = matrix.shape
    vectors = generator.standard_normal((compounds, SIZE)) / SIZE**0.5
    directions = generator.standard_normal((assays, SIZE)) / SIZE**0.5
    strengths = generator.permutation(np.linspace(0, 0.12, assays))
    vectors += matrix.multiply(strengths).tocsr() @ directions
    labels = np.where(matrix.toarray() == 0, np.nan, matrix.toarray() == 1).astype(np.float32)  # as published
    folds = generator.choice(3, compounds, p=[0.6, 0.2, 0.2])
    result = []
    for fold in range(3):
        rows = np.flatnonzero(folds == fold)
        features = vectors[rows].astype(np.float32)
        if level == "field":
            rows = np.repeat(rows, FIELDS)
            features = np.repeat(features, FIELDS, axis=0)
            features += generator.standard_normal(features.shape, dtype=np.float32) / SIZE**0.5
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        result += [features, labels[rows]]
    return result


def scores(classifier, features, labels, rows, assay) -> float:
    """Compute accuracy, AUC, MCC and F1, as the published code does; return the AUC."""
    predictions = classifier.predict(features[rows])
    probabilities = classifier.predict_proba(features[rows])
    target = labels[rows, assay]
    np.mean(target == predictions)
    matthews_corrcoef(target, predictions)
    f1_score(target, predictions)
    return roc_auc_score(target, probabilities[:, 1])


def published(assay: int, train, train_labels, validation, validation_labels, test, test_labels) -> tuple[float, float]:
    """Compute C and test AUC of an assay as a turn of the published loop does."""
    rows = [
        list(np.where(labels[:, assay] == 1)[0]) + list(np.where(labels[:, assay] == 0)[0])
        for labels in (train_labels, validation_labels, test_labels)
    ]
    best_auc = 0.0
    for c in C_GRID:
        classifier = LogisticRegression(random_state=0, C=c, max_iter=3000)
        classifier.fit(train[rows[0]], train_labels[rows[0], assay])
        auc = scores(classifier, validation, validation_labels, rows[1], assay)
        scores(classifier, train, train_labels, rows[0], assay)
        if auc > best_auc:
            best_auc, best = auc, classifier
    both = np.concatenate([train, validation])
    both_labels = np.concatenate([train_labels, validation_labels])
    both_rows = np.concatenate([rows[0], [row + len(train) for row in rows[1]]])
    best.fit(both[both_rows], both_labels[both_rows, assay])
    return best.C, scores(best, test, test_labels, rows[2], assay)


def converged(assay: int, c: float, train, train_labels, validation, validation_labels, test, test_labels) -> float:
    """Compute the test AUC of scikit-learn's solution at one C, in float64 and iterated until it converges."""
    features = [np.asarray(values, np.float64) for values in (train, validation)]
    labels = [values[:, assay] for values in (train_labels, validation_labels)]
    known = [~np.isnan(values) for values in labels]
    x = np.concatenate([values[rows] for values, rows in zip(features, known, strict=True)])
    y = np.concatenate([values[rows] for values, rows in zip(labels, known, strict=True)])
    shift = x.mean(axis=0)
    classifier = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(x - shift, y)
    rows = ~np.isnan(test_labels[:, assay])
    return roc_auc_score(test_labels[rows, assay], classifier.decision_function(test[rows] - shift))


def ours(data: list[np.ndarray]) -> pd.DataFrame:
    """Compute the table of the probes of all assays."""
    return fit_probes(Labelled(*data[:2]), Labelled(*data[2:4]), {"test": data[4]}, data[5])["test"].table


def strata(labels: np.ndarray, number: int) -> list[np.ndarray]:
    """Cut assays into strata of similar numbers of labels, whose assays take about the same time together.

    The time of an assay is taken to be a constant and a part in proportion to its labels, which are equal on average.

    Parameters
    ----------
    labels
        (T,) number of labels of each assay.
    number
        Number of strata. Some can be empty and are left out. If it is at least T, each assay is a stratum.

    Returns
    -------
    list of numpy.ndarray
        Places of the assays in ``labels``, in order of their number of labels.
    """
    order = np.argsort(labels, kind="stable")
    if number >= len(labels):
        return np.split(order, len(order))
    times = labels[order] + labels.mean()
    middles = times.cumsum() - times / 2
    parts = np.split(order, np.searchsorted(middles, times.sum() * np.arange(1, number) / number))
    return [part for part in parts if len(part)]


def timed(clock: Callable[[], float], compute: Callable[..., T], *arguments) -> tuple[float, T]:
    """Return the seconds that a call takes, and its result."""
    start = clock()
    result = compute(*arguments)
    return clock() - start, result


def check(
    assays: list[int], table: pd.DataFrame, references: list[tuple[float, float]], data: list[np.ndarray]
) -> None:
    """Print how far the results of assays are from those of the published code, and from converged solutions."""
    c, auc = (table[column].to_numpy()[assays] for column in ("c", "auc"))
    published_c, published_auc = np.array(references).T
    print(f"assays with the C of the published loop: {(c == published_c).sum()} of {len(assays)}")
    print(f"mean test AUC: {auc.mean():.4f}, published {published_auc.mean():.4f}")
    gaps = np.abs(auc - [converged(assay, *values, *data) for assay, *values in zip(assays, c, strict=True)])
    print(
        "difference of AUC from scikit-learn's converged solution at the same C: "
        f"mean {gaps.mean():.5f}, at most {gaps.max():.5f}"
    )


def measure(level: str, number: int, checked: bool) -> None:
    """Print the rows of a level."""
    data = samples(level)
    classes = np.array([[(labels == kind).sum(axis=0) for kind in (0, 1)] for labels in data[1::2]])
    scorable = np.flatnonzero(classes.min(axis=(0, 1)) > 0)
    labels = classes.sum(axis=(0, 1))[scorable]
    parts = strata(labels, number)
    sampled = [int(scorable[part[len(part) // 2]]) for part in parts]
    ours([*data[:1], data[1][:, sampled], data[2], data[3][:, sampled], data[4], data[5][:, sampled]])  # warm up
    published(sampled[0], *data)
    step = f"probing, {level} level, all {len(scorable)} assays, {labels.sum():,} labels"
    for threads, clock, how in (
        (1, processor_seconds, "one thread"),
        (torch.get_num_threads(), time.perf_counter, f"{torch.get_num_threads()} threads, wall time"),
    ):
        with threadpool_limits(1 if threads == 1 else None):
            torch.set_num_threads(threads)
            seconds, table = timed(clock, ours, data)
            turns = [timed(clock, published, assay, *data) for assay in sampled]
        estimate = sum(len(part) * turn for part, (turn, _) in zip(parts, turns, strict=True))
        step_name = f"{step}, {how}; reference: {len(sampled)} assays"
        print(row(step_name, "assays/s", len(scorable) / seconds, len(scorable) / estimate), flush=True)
    if checked:
        check(sampled, table, [result for _, result in turns], data)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", choices=["compound", "field", "both"], default="both")
    parser.add_argument(
        "--assays", type=int, default=20, help="number of assays that stand for all in the published code"
    )
    parser.add_argument("--check", action="store_true", help="also print how far the results are apart")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for level in ["compound", "field"] if options.level == "both" else [options.level]:
        measure(level, options.assays, options.check)


if __name__ == "__main__":
    main()

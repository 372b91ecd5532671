"""Compare the time of ``fit_probes`` with that of the published code, on a real label matrix.

CLOOME_DATA=... python benchmarks/probing.py --level field --assays 2 --repeats 5

The published code (``linear_probing.py`` of ml-jku/cloome, here also with C = 10, which its grid omits) processes
assays one by one. For every C it fits scikit-learn's ``LogisticRegression(max_iter=3000)`` and scores the training and
validation samples. Then it fits again with the best C. Both are measured on some assays in turns: with one thread by
processor time, and with the default number of threads by wall time. The last row is ``fit_probes`` for all assays, once
with the default number of threads. ``--check`` also prints how far results are from scikit-learn's.

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

import numpy as np
import pandas as pd
import scipy.io
import torch
from measuring import alternating, processor_seconds, row
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score
from threadpoolctl import threadpool_limits

from cloome_kedro.evaluation.probes import C_GRID, Labelled, fit_probes

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
    labels = np.where(matrix.toarray() == 0, np.nan, matrix.toarray() == 1)
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


def published(train, train_labels, validation, validation_labels, test, test_labels) -> dict[int, tuple[float, float]]:
    """Compute C and test AUC of each assay as the published loop does."""
    result = {}
    for assay in range(train_labels.shape[1]):
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
        result[assay] = best.C, scores(best, test, test_labels, rows[2], assay)
    return result


def converged(c: float, assay: int, train, train_labels, validation, validation_labels, test, test_labels) -> float:
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
    """Compute what :func:`published` computes: the table of the probes."""
    return fit_probes(Labelled(*data[:2]), Labelled(*data[2:4]), {"test": data[4]}, data[5])["test"].table


def with_threads(threads: int | None, compute: Callable[[], object]) -> Callable[[], None]:
    """Return a function that computes with a number of threads; None: the default numbers of the libraries."""
    number = threads or torch.get_num_threads()

    def run() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        with threadpool_limits(threads):
            compute()
        torch.set_num_threads(before)

    return run


def check(data: list[np.ndarray]) -> None:
    """Print how far the results are from those of the published loop, and from converged solutions."""
    table, results = ours(data), published(*data)
    published_c, published_auc = np.array([results[assay] for assay in range(len(table))]).T
    same_c = table["c"].to_numpy() == published_c
    print(f"assays with the C of the published loop: {same_c.sum()} of {len(table)}")
    print(f"mean test AUC: {table['auc'].mean():.4f}, published {published_auc.mean():.4f}")
    exact = np.array([converged(c, assay, *data) for assay, c in enumerate(table["c"])])
    gaps = np.abs(table["auc"].to_numpy() - exact)
    print(
        "difference of AUC from scikit-learn's converged solution at the same C: "
        f"mean {gaps.mean():.5f}, at most {gaps.max():.5f}"
    )


def measure(level: str, options: argparse.Namespace) -> None:
    """Print the rows of a level."""
    data = samples(level)
    classes = np.array([[(labels == kind).sum(axis=0) for kind in (0, 1)] for labels in data[1::2]])
    scorable = np.flatnonzero(classes.min(axis=(0, 1)) > 0)
    by_size = scorable[np.argsort(classes.sum(axis=(0, 1))[scorable], kind="stable")]
    share = classes.sum(axis=(0, 1))[by_size].cumsum() / classes.sum(axis=(0, 1))[by_size].sum()
    places = np.searchsorted(share, (np.arange(options.assays) + 0.5) / options.assays)
    chosen = by_size[np.unique(places)]  # typical for the time of all, which their labels determine
    some, every = list(data), list(data)
    some[1::2] = [labels[:, chosen] for labels in data[1::2]]
    every[1::2] = [labels[:, scorable] for labels in data[1::2]]
    name = f"probing, {level} level, {len(chosen)} of {len(scorable)} assays"
    cores = torch.get_num_threads()
    for threads, clock, how in ((1, processor_seconds, "one thread"), (None, time.perf_counter, f"{cores} threads")):
        work = {
            "ours": with_threads(threads, lambda: ours(some)),
            "reference": with_threads(threads, lambda: published(*some)),
        }
        seconds = alternating(work, options.repeats, clock)
        rates = [len(chosen) / seconds[key] for key in work]
        print(row(f"{name}, {how}", "assays/s", *rates), flush=True)
    if options.all:
        start = time.perf_counter()
        ours(every)
        rate = len(scorable) / (time.perf_counter() - start)
        labels = sum(int((~np.isnan(values)).sum()) for values in every[1::2])
        step = f"probing, {level} level, all {len(scorable)} assays, {labels:,} labels, {cores} threads"
        print(row(step, "assays/s", rate), flush=True)
    if options.check:
        check(some)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", choices=["compound", "field", "both"], default="both")
    parser.add_argument(
        "--assays",
        type=int,
        default=2,
        help="number of assays of the pairs, spread evenly over all labels of all assays",
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--all", action=argparse.BooleanOptionalAction, default=True, help="measure all assays once")
    parser.add_argument("--check", action="store_true", help="also print how far the results are apart")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for level in ["compound", "field"] if options.level == "both" else [options.level]:
        measure(level, options)


if __name__ == "__main__":
    main()

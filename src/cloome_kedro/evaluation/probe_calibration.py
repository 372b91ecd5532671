"""Probabilities of probes: how well they are calibrated before and after Platt scaling.

Platt scaling needs scores of compounds that the probe has not seen. So here a probe is fitted to the training fold
alone, with the C that probing has chosen. A sigmoid is fitted to its scores on the validation fold, and both are
measured on the test fold (Platt, Probabilistic Outputs for Support Vector Machines, 1999).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from cloome_kedro.evaluation.assays import ProbeInputs, samples_by_fold
from cloome_kedro.evaluation.probe_inputs import feature_tensor, label_arrays
from cloome_kedro.evaluation.probes import solve_probes
from cloome_kedro.evaluation.softmax import calibration_error, error_of_calibrated
from cloome_kedro.words import CLEAN, FOLDS, RANDOM

_MOST_STEPS, _TOLERANCE, _SHORTEST, _RIDGE = 100, 1e-10, 1e-10, 1e-12  # of Newton's method


def platt(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Fit a sigmoid to scores: the probability of being active is 1 / (1 + exp(-(a score + b))).

    Labels are smoothed as by Platt: (p + 1) / (p + 2) for p actives, 1 / (q + 2) for q inactives. The likelihood is
    maximised by Newton's method (Lin, Lin and Weng, Machine Learning 68, 267, 2007).

    Parameters
    ----------
    scores
        (N,) log odds.
    labels
        (N,) 1 and 0, both at least once.

    Returns
    -------
    tuple of float
        a and b.
    """
    active = labels == 1
    p, q = active.sum(), (~active).sum()
    target = np.where(active, (p + 1) / (p + 2), 1 / (q + 2))
    # Standardised, so that the two parameters have similar sizes.
    center, scale = scores.mean(), scores.std() or 1.0
    x = np.stack([(scores - center) / scale, np.ones(len(scores))])
    weights = np.array([0.0, np.log((p + 1) / (q + 1))])

    def loss(candidate: np.ndarray) -> float:
        z = candidate @ x
        return float((np.logaddexp(0, z) - target * z).sum())

    lowest = loss(weights)
    for _ in range(_MOST_STEPS):
        probability = expit(weights @ x)
        gradient = x @ (probability - target)
        hessian = (x * (probability * (1 - probability))) @ x.T + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        decrease = float(gradient @ step)
        if decrease < _TOLERANCE:
            break
        length = 1.0
        while (value := loss(weights - length * step)) > lowest - 1e-4 * length * decrease and length > _SHORTEST:
            length /= 2
        weights, lowest = weights - length * step, value
    a = float(weights[0] / scale)
    return a, float(weights[1] - a * center)


def calibrate_probes(
    features: Mapping[str, np.ndarray], inputs: ProbeInputs, chosen: pd.DataFrame, bins: int = 10
) -> pd.DataFrame:
    """Measure the probabilities of probes on the test fold, before and after Platt scaling.

    Parameters
    ----------
    features
        Method -> (N, d) features of the fields of ``inputs``, in their order.
    inputs
        Fields, labels and settings of probing.
    chosen
        Table ``probing_scores``, which holds the C of each method and assay that is scored.
    bins
        Number of bins of calibration errors.

    Returns
    -------
    pandas.DataFrame
        One row per method, before (``calibrated`` false) and after, with means over assays: ``error``,
        ``error_of_calibrated``, ``brier`` and ``n``, the number of assays; ``compounds``, the number of test compounds,
        and ``calibration``, the number of validation compounds. The method ``Random`` always answers with the share of
        actives in the validation fold.
    """
    folds = inputs.fields["fold"].to_numpy()
    samples, tables = samples_by_fold(inputs)
    labels = label_arrays(tables)
    assays = {name: place for place, name in enumerate(tables["train"].columns)}
    scored = chosen[chosen["scored"] & (chosen["images"] == CLEAN)]
    rows: list[dict] = []
    for method, values in features.items():
        by_fold = {fold: samples[fold].features(values[folds == fold]) for fold in FOLDS}
        fitted = {fold: feature_tensor(fold, by_fold[fold], labels[fold]) for fold in ("train", "validation")}
        for c, group in scored[scored["method"] == method].groupby("c"):
            columns = group["assay"].map(assays).to_numpy()
            probes = solve_probes(fitted, labels, columns, [c], torch.device("cpu"), refit=False)
            margins = {
                fold: np.asarray(by_fold[fold], float) @ probes.w.T.astype(float) + probes.b
                for fold in ("validation", "test")
            }
            for place, column in enumerate(columns):
                known = {fold: ~np.isnan(labels[fold][:, column]) for fold in margins}
                of_assay = {fold: labels[fold][known[fold], column] for fold in margins}
                scores = {fold: margins[fold][known[fold], place] for fold in margins}
                a, b = platt(scores["validation"], of_assay["validation"])
                probabilities = {False: expit(scores["test"]), True: expit(a * scores["test"] + b)}
                rows += [
                    {"method": method, "calibrated": calibrated, "assay": column, **_quality(p, of_assay["test"], bins)}
                    for calibrated, p in probabilities.items()
                ]
    rows += _of_base_rate(labels, sorted({row["assay"] for row in rows}), bins)
    if not rows:
        return pd.DataFrame()
    means = pd.DataFrame(rows).groupby(["method", "calibrated"], sort=False)
    table = means[["error", "error_of_calibrated", "brier"]].mean().assign(n=means.size()).reset_index()
    compounds = {fold: len(np.unique(samples[fold].compounds)) for fold in ("validation", "test")}
    return table.assign(calibration=compounds["validation"], compounds=compounds["test"])


def _of_base_rate(labels: dict[str, np.ndarray], assays: list[int], bins: int) -> list[dict]:
    rows = []
    for assay in assays:
        of_fold = {fold: labels[fold][~np.isnan(labels[fold][:, assay]), assay] for fold in ("validation", "test")}
        probabilities = np.full(len(of_fold["test"]), of_fold["validation"].mean())
        quality = _quality(probabilities, of_fold["test"], bins)
        rows.append({"method": RANDOM, "calibrated": True, "assay": assay, **quality})
    return rows


def _quality(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> dict[str, float]:
    return {
        "error": calibration_error(probabilities, labels, bins),
        "error_of_calibrated": error_of_calibrated(probabilities, bins),
        "brier": float(np.mean((probabilities - labels) ** 2)),
    }

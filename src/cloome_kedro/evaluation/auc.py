"""Areas under ROC curves with weights, and their bootstrap over compounds."""

import numpy as np
from numpy.typing import ArrayLike

_CELLS = 1 << 22  # of weights held at a time: 16 MiB


def weighted_aucs(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Area under the ROC curve for many weightings of the same samples, which are sorted once.

    It is the weighted share of pairs of an active and an inactive sample that the scores order rightly, a tie counting
    half (Hanley and McNeil, Radiology 143, 29, 1982); equals ``sklearn.metrics.roc_auc_score`` with ``sample_weight``.

    Parameters
    ----------
    labels, scores
        (N,) 1 active or 0 inactive, and finite scores.
    weights
        (R, N) not negative. Kept in float32, which is exact for numbers of resampled compounds.

    Returns
    -------
    numpy.ndarray
        (R,) float64; NaN where the actives or the inactives weigh nothing.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    weights = np.atleast_2d(np.asarray(weights, np.float32))
    order = np.argsort(scores, kind="stable")
    active = labels[order] == 1
    weights = weights[:, order]
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])  # of runs of equal scores
    run = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
    below = np.zeros((len(weights), len(order) + 1), np.float32)
    np.cumsum(np.where(active, np.float32(0), weights), axis=1, out=below[:, 1:])
    ends = np.r_[starts[1:], len(order)]
    beaten = (below[:, starts] + below[:, ends])[:, run[active]]  # twice: a tie counts half
    of_actives = weights[:, active].astype(float)
    pairs = of_actives.sum(axis=1) * below[:, -1]
    return np.divide(
        np.einsum("rn,rn->r", of_actives, beaten), 2 * pairs, out=np.full(len(weights), np.nan), where=pairs > 0
    )


def resampled_aucs(
    labels: np.ndarray, scores: dict, compounds: ArrayLike, resamples: int = 1000, seed: int = 0
) -> dict:
    """Areas per assay of several methods, on the same resamples of the test compounds.

    A compound is drawn with all its samples and all its labels (cluster bootstrap), so that differences between methods
    are paired and the assays of a compound stay together.

    Parameters
    ----------
    labels
        (S, T) of S samples in T assays: 1, 0, or NaN where not measured.
    scores
        Name -> (S, T) scores; NaN in a whole column where the assay has no probe.
    compounds
        (S,) compound that each sample is of.
    resamples, seed
        Number of resamples, and their seed.

    Returns
    -------
    dict
        Name -> (resamples, T) float64; NaN where the assay has no probe or the resample lacks one of its classes.
    """
    names, codes = np.unique(np.asarray(compounds), return_inverse=True)
    generator = np.random.default_rng(seed)
    result = {name: np.full((resamples, labels.shape[1]), np.nan) for name in scores}
    if not len(names):
        return result
    step = max(1, _CELLS // max(len(names), len(codes)))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, len(names), (rows, len(names))) + len(names) * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, -1).astype(np.float32)
        for assay in range(labels.shape[1]):
            measured = np.flatnonzero(~np.isnan(labels[:, assay]))
            weights = times[:, codes[measured]]
            for name, values in scores.items():
                if len(measured) and not np.isnan(values[measured[0], assay]):
                    result[name][start : start + rows, assay] = weighted_aucs(
                        labels[measured, assay], values[measured, assay], weights
                    )
    return result

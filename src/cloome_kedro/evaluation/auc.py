"""Areas under ROC curves, also with weighted samples, and their bootstrap over compounds."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from cloome_kedro.evaluation.bootstrap import resample_counts

_WEIGHTS = 1 << 22  # weights held in memory at a time: 16 MiB in float32


def aucs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Areas under the ROC curves of scores (..., N) for labels (N,), by the Mann-Whitney statistic. A tie counts half.

    >>> aucs(np.array([0, 1, 0, 1]), np.array([[0.1, 0.2, 0.3, 0.4], [1.0, 1.0, 1.0, 1.0]]))
    array([0.75, 0.5 ])
    """
    active = labels == 1
    actives, inactives = active.sum(), (~active).sum()
    below = rankdata(scores, axis=-1)[..., active].sum(axis=-1) - actives * (actives + 1) / 2
    return below / (actives * inactives)


def weighted_aucs(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Area under the ROC curve for several weightings of the same samples.

    The area is the weighted share of pairs of an active and an inactive sample in which the active one has the higher
    score. A tie counts half (Hanley and McNeil, Radiology 143, 29, 1982). It equals
    ``sklearn.metrics.roc_auc_score`` with ``sample_weight``. Samples are sorted only once for all weightings.

    Parameters
    ----------
    labels, scores
        (N,) labels, 1 active or 0 inactive, and finite scores.
    weights
        (R, N) weights, not negative. They are held in float32, which is exact for counts of resampled compounds.

    Returns
    -------
    numpy.ndarray
        (R,) float64; NaN where the weights of all actives or of all inactives are 0.

    Examples
    --------
    >>> weighted_aucs([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], [[1, 1, 1, 1], [2, 1, 1, 1], [1, 0, 1, 0]])
    array([0.75      , 0.83333333,        nan])
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    weights = np.atleast_2d(np.asarray(weights, np.float32))
    order = np.argsort(scores, kind="stable")
    active = labels[order] == 1
    weights = weights[:, order]
    run_starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])  # a run is a stretch of equal scores
    run_ends = np.r_[run_starts[1:], len(order)]
    run = np.repeat(np.arange(len(run_starts)), run_ends - run_starts)
    inactive_before = np.zeros((len(weights), len(order) + 1), np.float32)
    np.cumsum(np.where(active, np.float32(0), weights), axis=1, out=inactive_before[:, 1:])
    # The sum counts inactive samples with a lower score twice and ties once: a tie counts half.
    twice_beaten = (inactive_before[:, run_starts] + inactive_before[:, run_ends])[:, run[active]]
    active_weights = weights[:, active].astype(float)
    pairs = active_weights.sum(axis=1) * inactive_before[:, -1]
    return np.divide(
        np.einsum("rn,rn->r", active_weights, twice_beaten),
        2 * pairs,
        out=np.full(len(weights), np.nan),
        where=pairs > 0,
    )


def resampled_aucs(
    labels: np.ndarray, scores: dict, compounds: ArrayLike, resamples: int = 1000, seed: int = 0
) -> dict:
    """Areas under the ROC curve of several methods in several assays, on the same resamples of the test compounds.

    A compound is drawn with all its samples and all its labels (cluster bootstrap, see
    :mod:`~cloome_kedro.evaluation.bootstrap`). So differences between methods are paired, and the assays of a compound
    stay together.

    Parameters
    ----------
    labels
        (S, T) labels of S samples in T assays: 1, 0, or NaN where not measured.
    scores
        Name -> (S, T) scores. The whole column is NaN if the assay has no probe.
    compounds
        (S,) compound of each sample.
    resamples, seed
        Number of resamples, and seed of the draws.

    Returns
    -------
    dict
        Name -> (resamples, T) float64. NaN where the assay has no probe, or where the resample has no actives or no
        inactives.
    """
    names, codes = np.unique(np.asarray(compounds), return_inverse=True)
    generator = np.random.default_rng(seed)
    result = {name: np.full((resamples, labels.shape[1]), np.nan) for name in scores}
    if not len(names):
        return result
    step = max(1, _WEIGHTS // max(len(names), len(codes)))
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        counts = resample_counts(generator, len(names), rows.stop - start).astype(np.float32)
        for assay in range(labels.shape[1]):
            measured = np.flatnonzero(~np.isnan(labels[:, assay]))
            weights = counts[:, codes[measured]]
            for name, values in scores.items():
                if len(measured) and not np.isnan(values[measured[0], assay]):
                    result[name][rows, assay] = weighted_aucs(labels[measured, assay], values[measured, assay], weights)
    return result

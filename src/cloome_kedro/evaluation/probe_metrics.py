"""Metrics of probes: means over assays with their intervals, and paired differences of methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import norm

from cloome_kedro.evaluation.assays import Probed, Tested
from cloome_kedro.evaluation.auc import resampled_aucs
from cloome_kedro.evaluation.summary import DIFFERENCES, METRICS
from cloome_kedro.words import PROBING, RANDOM

#: assays with a higher AUC are counted
THRESHOLDS = (0.9, 0.8, 0.7)
_SCORES = {"AUC": "auc", "F1": "f1", "average precision": "average_precision", "MCC": "mcc"}


@dataclass(frozen=True)
class ProbeSummary:
    """Settings of a summary of probes.

    Attributes
    ----------
    unscorable
        ``leave_out``: an assay without a probe is left out of mean AUCs. ``half`` (published): it counts as 0.5.
    confidence, resamples, seed
        Settings of the bootstrap.
    """

    unscorable: Literal["leave_out", "half"] = "leave_out"
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


def summarise_probes(
    probed: Probed, comparisons: Sequence[tuple[Tested, Tested, str]], summary: ProbeSummary
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and standard deviations over assays, numbers of assays with a high AUC, and differences of mean AUCs.

    Intervals are percentiles of a bootstrap over test compounds, for fixed assays. A resample gives the mean deviation
    from the AUCs of the test fold. An assay without actives or without inactives in the resample is left out of it.

    Parameters
    ----------
    probed
        Result of :func:`cloome_kedro.evaluation.assays.probe`.
    comparisons
        (a, b, name of b). The difference is the mean AUC of a minus that of b, over the assays that both have.
    summary
        Treatment of assays without a probe, and settings of the bootstrap.

    Returns
    -------
    metrics, differences : pandas.DataFrame
        Tables of these names without the columns ``split`` and ``split_hash``. They are empty if no assay is scored.
        Rows of the method ``Random`` hold chance. For samples that are compounds, chance includes the expected number
        of assays with an AUC above a threshold (normal approximation of the Mann-Whitney statistic). For samples that
        are fields there is no such number, since fields of a compound are not independent.
    """
    resampled = resampled_aucs(probed.labels, probed.scores, probed.compounds, summary.resamples, summary.seed)
    rows, aucs_of_tested = [], {}
    for tested in probed.scores:
        table = probed.table[(probed.table["method"] == tested[0]) & (probed.table["images"] == tested[1])]
        if table["scored"].any():
            aucs_of_tested[tested] = aucs = table["auc"].to_numpy(float, copy=True)
            if summary.unscorable == "half":
                unscored = ~table["scored"].to_numpy()
                aucs[unscored], resampled[tested][:, unscored] = 0.5, 0.5
            interval = _interval(aucs, resampled[tested], summary.confidence)
            rows += _metric_rows(probed, tested, table, aucs, interval)
    differences = []
    for a, b, against in comparisons:
        if a in aucs_of_tested and b in aucs_of_tested:
            difference = aucs_of_tested[a] - aucs_of_tested[b]
            in_both = np.isfinite(difference)
            if not in_both.any():
                continue
            low, high = _interval(difference, resampled[a] - resampled[b], summary.confidence)
            differences.append(
                {
                    **_setting(probed, a),
                    "against": against,
                    "metric": "mean AUC",
                    "difference": np.nanmean(difference),
                    "low": low,
                    "high": high,
                    "n": int(in_both.sum()),
                    "compounds": _n_compounds(probed, in_both),
                }
            )
    metrics = pd.DataFrame(rows, columns=METRICS[1:]).astype({"successes": "Int64"})
    random = metrics[metrics["chance"].notna()].drop_duplicates(["images", "metric"])
    random = random.assign(method=RANDOM, value=random["chance"], low=np.nan, high=np.nan, interval="none")
    return pd.concat([metrics, random], ignore_index=True), pd.DataFrame(differences, columns=DIFFERENCES[1:])


def _interval(values: np.ndarray, resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of the mean of values (T,), from resampled values (R, T).

    Each resample gives the mean deviation from ``values`` over the assays that have a value in it. The mean of the
    resampled values would be misleading: it would be too low in a resample that lacks an assay with a high AUC.
    """
    deviations = resampled - values
    mean_deviations = np.nanmean(deviations[np.isfinite(deviations).any(axis=1)], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.nanmean(values) + np.quantile(mean_deviations, [tail, 1 - tail])
    return float(low), float(high)


def _setting(probed: Probed, tested: Tested) -> dict:
    method, images = tested
    return {
        "task": PROBING,
        "method": method,
        "images": images,
        "shown_by": probed.table["shown_by"].iloc[0],
        **dict.fromkeys(("direction", "pool", "excluded")),
    }


def _n_compounds(probed: Probed, assays: np.ndarray) -> int:
    """Number of test compounds that were measured in at least one of the assays, (T,) bool."""
    return len(np.unique(probed.compounds[(~np.isnan(probed.labels[:, assays])).any(axis=1)]))


def _metric_rows(
    probed: Probed, tested: Tested, table: pd.DataFrame, aucs: np.ndarray, interval: tuple[float, float]
) -> list[dict]:
    """Rows of the table ``metrics`` for one method and kind of images."""
    scored = table[table["scored"]]
    common = {
        **_setting(probed, tested),
        "draws": 1,
        "interval": "none",
        "n": len(scored),
        "compounds": _n_compounds(probed, table["scored"].to_numpy()),
    }
    actives, inactives = (scored[f"test_{kind}"].to_numpy(float) for kind in ("actives", "inactives"))
    chance = {"AUC": 0.5, "average precision": (actives / (actives + inactives)).mean(), "MCC": 0.0}
    rows = []
    for name, column in _SCORES.items():
        values = aucs[np.isfinite(aucs)] if name == "AUC" else scored[column].to_numpy(float)
        mean = {**common, "metric": f"mean {name}", "value": values.mean(), "chance": chance.get(name)}
        if name == "AUC":
            mean |= {"n": len(values), "low": interval[0], "high": interval[1], "interval": "bootstrap"}
        rows.append(mean)
        if len(values) > 1:
            rows.append({**common, "metric": f"SD {name}", "value": values.std(ddof=1), "n": len(values)})
    # Standard deviation of the AUC of scores without information (Mann and Whitney, Ann. Math. Stat. 18, 50, 1947).
    chance_sd = np.sqrt((actives + inactives + 1) / (12 * actives * inactives))
    for threshold in THRESHOLDS:
        expected = norm.sf((threshold - 0.5) / chance_sd).sum() if (table["shown_by"] == "mean").all() else None
        count = int((aucs > threshold).sum())
        rows.append({**common, "metric": f"AUC > {threshold}", "value": float(count), "chance": expected})
    unscored = len(table) - len(scored)
    return [*rows, {**common, "metric": "assays not scored", "value": float(unscored), "n": len(table)}]

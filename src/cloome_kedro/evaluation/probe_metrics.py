"""What probes show: means over assays with their intervals, and paired differences of methods."""

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

THRESHOLDS = (0.9, 0.8, 0.7)
_SCORES = {"AUC": "auc", "F1": "f1", "average precision": "average_precision", "MCC": "mcc"}


@dataclass(frozen=True)
class ProbeSummary:
    """How probes are summarised.

    Attributes
    ----------
    unscorable
        What an assay without a probe does to AUCs: nothing, or (published) it counts as 0.5.
    confidence, resamples, seed
        Of the bootstrap.
    """

    unscorable: Literal["leave_out", "half"] = "leave_out"
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


def summarise_probes(
    probed: Probed, comparisons: Sequence[tuple[Tested, Tested, str]], summary: ProbeSummary
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and standard deviations over assays, how many have a high AUC, and paired differences of the mean AUC.

    Intervals are percentiles of a bootstrap over test compounds; the assays stay the same. In a resample, an assay
    without actives or inactives is left out of the mean deviation.

    Parameters
    ----------
    probed
        Of :func:`cloome_kedro.evaluation.assays.probe`.
    comparisons
        (a, b, what b is called): the mean AUC of a minus that of b, over the assays that both have.
    summary
        Unscorable assays, and the bootstrap.

    Returns
    -------
    metrics, differences : pandas.DataFrame
        Tables of these names without split and split hash; no rows where no assay is scored. The method ``Random`` has
        what chance gives: at compound level, the expected number of assays above an AUC is that of scores without
        information (Mann-Whitney's U, normal approximation); of fields, which are not independent, there is none.
    """
    resampled = resampled_aucs(probed.labels, probed.scores, probed.compounds, summary.resamples, summary.seed)
    rows, points = [], {}
    for tested in probed.scores:
        table = probed.table[(probed.table["method"] == tested[0]) & (probed.table["images"] == tested[1])]
        if table["scored"].any():
            points[tested] = aucs = table["auc"].to_numpy(float, copy=True)
            if summary.unscorable == "half":
                left = ~table["scored"].to_numpy()
                aucs[left], resampled[tested][:, left] = 0.5, 0.5
            rows += _summary(probed, tested, table, aucs, _interval(aucs, resampled[tested], summary.confidence))
    differences = []
    for a, b, against in comparisons:
        if a in points and b in points and np.isfinite(points[a] - points[b]).any():
            gap = points[a] - points[b]
            low, high = _interval(gap, resampled[a] - resampled[b], summary.confidence)
            differences.append(
                {
                    **_setting(probed, a),
                    "against": against,
                    "metric": "mean AUC",
                    "difference": np.nanmean(gap),
                    "low": low,
                    "high": high,
                    "n": int(np.isfinite(gap).sum()),
                    "compounds": _tested_compounds(probed, np.isfinite(gap)),
                }
            )
    metrics = pd.DataFrame(rows, columns=METRICS[1:]).astype({"successes": "Int64"})
    random = metrics[metrics["chance"].notna()].drop_duplicates(["images", "metric"])
    random = random.assign(method=RANDOM, value=random["chance"], low=np.nan, high=np.nan, interval="none")
    return pd.concat([metrics, random], ignore_index=True), pd.DataFrame(differences, columns=DIFFERENCES[1:])


def _interval(values: np.ndarray, resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of the mean of (T,) values, of which (R, T) are resampled.

    The interval is that of the mean deviation from the values. A resample that lacks a class of an assay has no value
    of it, and so does not count in that assay's deviation. Leaving the assay out of the resample's mean instead would
    shift that mean by the assay's own level.
    """
    off = resampled - values
    off = np.nanmean(off[np.isfinite(off).any(axis=1)], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.nanmean(values) + np.quantile(off, [tail, 1 - tail])
    return float(low), float(high)


def _setting(probed: Probed, tested: Tested) -> dict:
    method, images = tested
    nothing = dict.fromkeys(("direction", "pool", "excluded"))
    return {
        "task": PROBING,
        "method": method,
        "images": images,
        "shown_by": probed.table["shown_by"].iloc[0],
        **nothing,
    }


def _tested_compounds(probed: Probed, assays: np.ndarray) -> int:
    return len(np.unique(probed.compounds[(~np.isnan(probed.labels[:, assays])).any(axis=1)]))


def _summary(probed: Probed, tested: Tested, table: pd.DataFrame, aucs: np.ndarray, interval: tuple) -> list[dict]:
    """Rows of ``metrics`` of one method and kind of images."""
    scored = table[table["scored"]]
    common = {
        **_setting(probed, tested),
        "draws": 1,
        "interval": "none",
        "n": len(scored),
        "compounds": _tested_compounds(probed, table["scored"].to_numpy()),
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
    spread = np.sqrt((actives + inactives + 1) / (12 * actives * inactives))
    for threshold in THRESHOLDS:
        expected = norm.sf((threshold - 0.5) / spread).sum() if (table["shown_by"] == "mean").all() else None
        count = int((aucs > threshold).sum())
        rows.append({**common, "metric": f"AUC > {threshold}", "value": float(count), "chance": expected})
    left = len(table) - len(scored)
    return [*rows, {**common, "metric": "assays not scored", "value": float(left), "n": len(table)}]

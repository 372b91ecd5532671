"""Probing of assays: which of a screen's compounds have labels, and how well probes of their features predict them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from cloome_kedro.evaluation.auc import resampled_aucs
from cloome_kedro.evaluation.probes import fit_probes

CLEAN = "clean"
FOLDS = ("train", "validation", "test")

#: a method's name and what its test images are: clean, or a corruption's name
Tested = tuple[str, str]


class ScreenLabels(NamedTuple):
    """Labels of a screen's compounds.

    Attributes
    ----------
    labels
        One row a compound with a label, by InChIKey; one column an assay: 1, 0 or NaN.
    rows
        Rows of the label table that are of compounds of the screen.
    conflicts
        Labels that count as not measured, since several ids of a compound disagree.
    """

    labels: pd.DataFrame
    rows: int
    conflicts: int


def labels_of_screen(assay_labels: pd.DataFrame, compound_keys: pd.DataFrame, inchikeys: Sequence[str]) -> ScreenLabels:
    """Join the table ``assay_labels`` to compounds, by ``inchikey`` or by the screen's own ``compound_id``.

    Parameters
    ----------
    assay_labels
        Columns ``inchikey`` or ``compound_id``, and one an assay: 1 active, 0 inactive, NaN not measured.
    compound_keys
        Table of that name: the InChIKey of each compound id.
    inchikeys
        Compounds that can be used.

    Returns
    -------
    ScreenLabels
    """
    if "inchikey" in assay_labels:
        assays, keys = assay_labels.drop(columns="inchikey"), assay_labels["inchikey"]
    else:
        assays = assay_labels.drop(columns="compound_id")
        keys = assay_labels["compound_id"].map(compound_keys.set_index("compound_id")["inchikey"])
    of_screen = keys.isin(pd.Index(inchikeys).dropna()).to_numpy()
    grouped = assays[of_screen].astype(float).groupby(keys[of_screen].to_numpy())
    lowest, highest = grouped.min(), grouped.max()
    conflict = lowest.ne(highest) & lowest.notna()
    labels = highest.mask(conflict)
    return ScreenLabels(labels[labels.notna().any(axis=1)], int(of_screen.sum()), int(conflict.to_numpy().sum()))


@dataclass(frozen=True)
class Probed:
    """Probes of several methods for the same assays, scored on the same test samples.

    Attributes
    ----------
    table
        Table ``probing_scores`` without split and split hash.
    compounds
        (S,) compound of each test sample.
    labels
        (S, T) 1, 0 or NaN of the test samples in T assays.
    scores
        (method, images) -> (S, T) predicted probabilities; NaN where an assay has no probe.
    """

    table: pd.DataFrame
    compounds: np.ndarray
    labels: np.ndarray
    scores: dict[Tested, np.ndarray]


def probe(
    features: Mapping[str, np.ndarray],
    compounds: np.ndarray,
    folds: np.ndarray,
    labels: pd.DataFrame,
    c_grid: Sequence[float],
    level: Literal["compound", "field"] = "compound",
    corrupted: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Probed:
    """Fit a probe for every method and assay on clean images, and score the test fold's images, clean and corrupted.

    Parameters
    ----------
    features
        Method -> (N, d) of N fields; profiles standardised.
    compounds, folds
        (N,) InChIKey of each field, and its fold. Fields without a label are left out.
    labels
        One row a compound, by InChIKey; one column an assay: 1, 0 or NaN (see :func:`labels_of_screen`).
    c_grid
        Inverse strengths of regularisation, of which validation AUC chooses.
    level
        What a sample is: a compound, with the mean over its fields, or a field, with its compound's labels.
    corrupted
        Corruption -> method -> (fields of the test fold, d), in the order in which ``features`` has them. Every method
        must be in ``features``.

    Returns
    -------
    Probed
    """
    compounds, folds = np.asarray(compounds), np.asarray(folds)
    labels = labels[labels.notna().any(axis=1)]
    labelled = pd.Index(compounds).isin(labels.index)
    samples = {fold: _Samples.of(compounds[folds == fold], labelled[folds == fold], level) for fold in FOLDS}
    known = {fold: labels.loc[samples[fold].compounds] for fold in FOLDS}
    tables, scores = [], {}
    for method, values in features.items():
        train, validation, test = (samples[fold].features(values[folds == fold]) for fold in FOLDS)
        tests = {CLEAN: test}
        for images, others in (corrupted or {}).items():
            if method in others:
                tests[images] = samples["test"].features(others[method])
        fitted = fit_probes(train, known["train"], validation, known["validation"], tests, known["test"], c_grid)
        for images in tests:
            tables.append(fitted[images].table.assign(method=method, images=images))
            scores[method, images] = fitted[images].scores
    table = pd.concat(tables, ignore_index=True).assign(shown_by="mean" if level == "compound" else "field")
    return Probed(table, samples["test"].compounds, known["test"].to_numpy(float), scores)


class _Samples(NamedTuple):
    """Samples of a fold: which fields, and which compound each is of."""

    fields: np.ndarray
    groups: np.ndarray | None
    compounds: np.ndarray

    @classmethod
    def of(cls, compounds: np.ndarray, labelled: np.ndarray, level: str) -> "_Samples":
        fields = np.flatnonzero(labelled)
        if level == "field":
            return cls(fields, None, compounds[fields])
        names, groups = np.unique(compounds[fields], return_inverse=True)
        return cls(fields, groups, names)

    def features(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)[self.fields]
        if self.groups is None:
            return values
        return pd.DataFrame(values).groupby(self.groups).mean().to_numpy()


THRESHOLDS = (0.9, 0.8, 0.7)
RANDOM = "Random"
_SCORES = {"AUC": "auc", "F1": "f1", "average precision": "average_precision", "MCC": "mcc"}
_SETTING = ("task", "method", "images", "direction", "pool", "shown_by", "excluded")
_METRICS = [
    *_SETTING,
    *("draws", "candidates", "metric", "value", "low", "high", "interval"),
    *("n", "compounds", "successes", "spread", "chance"),
]
_DIFFERENCES = [*_SETTING, "against", "metric", "difference", "low", "high", "n", "compounds"]


def summarise_probes(
    probed: Probed,
    comparisons: Sequence[tuple[Tested, Tested, str]] = (),
    unscorable: Literal["leave_out", "half"] = "leave_out",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and standard deviations over assays, how many have a high AUC, and paired differences of the mean AUC.

    Intervals are percentiles of a bootstrap over test compounds with the assays as they are; in a resample, an assay
    without actives or inactives is left out (or counts as ``unscorable`` says).

    Parameters
    ----------
    probed
        Of :func:`probe`.
    comparisons
        (a, b, what b is called): the mean AUC of a minus that of b, over the assays that both have.
    unscorable
        What an assay without a probe does to AUCs: nothing, or (published) counts as 0.5.
    confidence, resamples, seed
        Of the bootstrap.

    Returns
    -------
    metrics, differences : pandas.DataFrame
        Tables of these names without split and split hash; no rows where no assay is scored. The method ``Random`` has
        what chance gives: at compound level, the expected number of assays above an AUC is that of scores without
        information (Mann-Whitney's U, by its normal approximation); of fields, which are not independent, there is none.
    """
    resampled = resampled_aucs(probed.labels, probed.scores, probed.compounds, resamples, seed)
    tail = (1 - confidence) / 2
    rows, points = [], {}
    for tested in probed.scores:
        table = probed.table[(probed.table["method"] == tested[0]) & (probed.table["images"] == tested[1])]
        if table["scored"].any():
            aucs = table["auc"].to_numpy(float)
            points[tested] = np.where(np.isnan(aucs), 0.5, aucs) if unscorable == "half" else aucs
            if unscorable == "half":
                resampled[tested][np.isnan(resampled[tested])] = 0.5
            low, high = np.quantile(_means(resampled[tested]), [tail, 1 - tail])
            rows += _summary(probed, tested, table, points[tested], (low, high))
    differences = []
    for a, b, against in comparisons:
        if a in points and b in points and np.isfinite(points[a] - points[b]).any():
            gap = points[a] - points[b]
            low, high = np.quantile(_means(resampled[a] - resampled[b]), [tail, 1 - tail])
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
    metrics = pd.DataFrame(rows, columns=_METRICS).astype({"successes": "Int64"})
    random = metrics[metrics["chance"].notna()].drop_duplicates(["images", "metric"])
    random = random.assign(method=RANDOM, value=random["chance"], low=np.nan, high=np.nan, interval="none")
    return pd.concat([metrics, random], ignore_index=True), pd.DataFrame(differences, columns=_DIFFERENCES)


def _means(aucs: np.ndarray) -> np.ndarray:
    """Mean over the assays that a resample has, of the resamples that have any."""
    return np.nanmean(aucs[np.isfinite(aucs).any(axis=1)], axis=1)


def _setting(probed: Probed, tested: Tested) -> dict:
    method, images = tested
    nothing = dict.fromkeys(("direction", "pool", "excluded"))
    return {
        "task": "probing",
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

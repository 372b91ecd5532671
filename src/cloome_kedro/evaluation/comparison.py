"""Comparison of methods over seeds and folds: means, paired differences, and intervals over compounds and seeds.

Results of one compound resemble each other, and so do results of one training. Therefore both are resampled: the
bootstrap draws compounds with replacement, each with all its queries, and independently seeds, each with all its
compounds (bootstrap for crossed factors: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007).
Intervals are percentiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.bootstrap import resample_counts
from cloome_kedro.words import DIRECTIONS

#: value of the column `direction` for the mean of both directions
BOTH = "both"

#: columns of the table ``comparison`` without its split hash
COLUMNS = [
    *("split", "method", "direction", "metric", "value", "low", "high", "spread", "seeds", "compounds", "candidates"),
    *("chance", "against", "difference", "difference_low", "difference_high", "verdict"),
]


@dataclass(frozen=True)
class ComparisonSettings:
    """How methods are compared.

    Attributes
    ----------
    reference
        Method from which all others are subtracted.
    top_k
        Values of k for top-k accuracy.
    confidence, resamples, seed
        Confidence of the intervals, number of resamples of the bootstrap, and its seed.
    """

    reference: str
    top_k: Sequence[int] = (1, 5, 10)
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


def verdict(low: float, high: float) -> str:
    """Say whether a difference with this interval is ``above`` or ``below`` zero, or ``no different``.

    >>> verdict(0.1, 0.3), verdict(-0.1, 0.3), verdict(-0.3, -0.1)
    ('above', 'no different', 'below')
    """
    return "above" if low > 0 else "below" if high < 0 else "no different"


def pairs_to_compare(
    methods: Sequence[str], models: Sequence[str], reference: str, corrected: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """Pairs of methods whose difference is of interest.

    They are the first method with each other one, each model with the reference, and each corrected method with the
    method that it corrects.

    Parameters
    ----------
    methods
        Names of all methods, the first model first. Without any, there are no pairs.
    models
        Names of the models of the study.
    reference
        Method with which the models are compared. It may be missing.
    corrected
        Pairs of a corrected method and the method that it corrects.

    Examples
    --------
    >>> pairs_to_compare(["CLOOME", "Fusion", "Bilinear", "Oracle"], ["CLOOME", "Fusion", "Bilinear"], "Bilinear")
    [('CLOOME', 'Fusion'), ('CLOOME', 'Bilinear'), ('CLOOME', 'Oracle'), ('Fusion', 'Bilinear')]
    """
    if not methods:
        return []
    of_corrections = {name for name, _ in corrected}
    first, *others = [name for name in methods if name not in of_corrections]
    pairs = [(first, other) for other in others]
    if reference in others:
        pairs += [(model, reference) for model in others if model in models and model != reference]
    return [*pairs, *corrected]


def hits_by_compound(ranks: pd.DataFrame, top_k: Sequence[int]) -> pd.DataFrame:
    """Share of draws in which the match of a compound is among the first k.

    Parameters
    ----------
    ranks
        Rows of the table ``ranks`` of one pool and one way to show compounds, of one or several methods and splits,
        with the additional column ``seed``.
    top_k
        Values of k.

    Returns
    -------
    pandas.DataFrame
        One row per split, seed, method, direction and compound: the columns ``candidates``, ``chance_<k>`` and
        ``top-<k>``.

    Examples
    --------
    >>> ranks = pd.DataFrame({"rank": [1, 2], "candidates": 4, "compound": "A", "direction": "image to compound"})
    >>> hits_by_compound(ranks.assign(split="random", seed=0, method="CLOOME"), [1])[["top-1", "chance_1"]]
       top-1  chance_1
    0    0.5      0.25
    """
    keys = ["split", "seed", "method", "direction", "compound"]
    rank, candidates = ranks["rank"].to_numpy(), ranks["candidates"].to_numpy(float)
    columns = {f"top-{k}": (rank <= k).astype(float) for k in top_k}
    columns |= {f"chance_{k}": np.minimum(k / candidates, 1) for k in top_k}
    return ranks[[*keys, "candidates"]].assign(**columns).groupby(keys, sort=False).mean().reset_index()


def compare_methods(
    hits: pd.DataFrame, settings: ComparisonSettings, pooled: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Compare methods in every split, direction and metric.

    The value of a method is the mean over seeds and compounds. Differences are those of the same compounds and seeds.
    Compounds that one of two methods does not know are left out of their difference.

    Parameters
    ----------
    hits
        Result of :func:`hits_by_compound`.
    settings
        Reference, metrics and intervals.
    pooled
        Split -> name of its group. Splits of a group are folds of one screen, whose test compounds are evaluated
        together. Splits that are not named stay alone.

    Returns
    -------
    pandas.DataFrame
        One row per split or group, method, direction (also ``both``, the mean of the two) and metric, with the columns
        :data:`COLUMNS`. ``spread`` is the standard deviation over seeds. Differences and the verdict of the reference
        itself are empty.

    Raises
    ------
    ValueError
        If the reference is not among the methods, or if methods do not have the same seeds.
    """
    methods = hits["method"].unique().tolist()
    if settings.reference not in methods:
        raise ValueError(f"compare: the reference {settings.reference} is not among the methods {', '.join(methods)}")
    groups = hits["split"].map(lambda split: (pooled or {}).get(split, split))
    rows = []
    for group, table in hits.groupby(groups, sort=False):
        directions = {direction: table[table["direction"] == direction] for direction in DIRECTIONS}
        keys = ["split", "seed", "method", "compound"]
        numbers = [name for name in map(str, table) if name.startswith(("top-", "chance_", "candidates"))]
        directions = {BOTH: table.groupby(keys, sort=False)[numbers].mean().reset_index(), **directions}
        for direction, rows_of_direction in directions.items():
            for k in settings.top_k:
                place = {"split": group, "direction": direction, "metric": f"top-{k}"}
                rows += _compare(rows_of_direction, k, place, methods, settings)
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(
    table: pd.DataFrame, k: int, place: Mapping[str, str], methods: Sequence[str], settings: ComparisonSettings
) -> list[dict]:
    """Rows of all methods, for one group, direction and metric."""
    by_method = dict(iter(table.groupby("method", sort=False)))
    arrays = {
        name: rows.pivot_table(index="seed", columns=["split", "compound"], values=f"top-{k}")
        for name, rows in by_method.items()
    }
    reference = arrays[settings.reference]
    rows = []
    for name in methods:
        if name not in arrays:
            continue
        values = arrays[name]
        if not values.index.equals(reference.index):
            raise ValueError(
                f"compare: {name} has the seeds {values.index.tolist()}, but {settings.reference} has "
                f"{reference.index.tolist()}: run the comparison again"
            )
        low, high = _interval(values.to_numpy(), settings)
        row = {
            **place,
            "method": name,
            "value": float(np.nanmean(values)),
            "low": low,
            "high": high,
            "spread": float(values.mean(axis=1).std(ddof=1)) if len(values) > 1 else np.nan,
            "seeds": len(values),
            "compounds": values.shape[1],
            "candidates": float(by_method[name]["candidates"].mean()),
            "chance": float(by_method[name][f"chance_{k}"].mean()),
        }
        if name != settings.reference:
            common = values.columns.intersection(reference.columns)
            differences = values[common].to_numpy() - reference[common].to_numpy()
            low, high = _interval(differences, settings)
            row |= {
                "against": settings.reference,
                "difference": float(np.nanmean(differences)),
                "difference_low": low,
                "difference_high": high,
                "verdict": verdict(low, high),
            }
        rows.append(row)
    return rows


def _interval(values: np.ndarray, settings: ComparisonSettings) -> tuple[float, float]:
    """Percentile interval of the mean over (seeds, compounds); missing values (NaN) have no weight."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    generator = np.random.default_rng(settings.seed)
    n_seeds, n_compounds = values.shape
    compounds = resample_counts(generator, n_compounds, settings.resamples).astype(float)
    seeds = resample_counts(generator, n_seeds, settings.resamples).astype(float)
    sums = np.einsum("bs,bs->b", compounds @ filled.T, seeds)
    totals = np.einsum("bs,bs->b", compounds @ known.T.astype(float), seeds)
    tail = (1 - settings.confidence) / 2
    low, high = np.nanquantile(sums / np.where(totals > 0, totals, np.nan), [tail, 1 - tail])
    return float(low), float(high)

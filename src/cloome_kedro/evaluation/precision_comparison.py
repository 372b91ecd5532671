"""Mean average precision of several methods on the same wells, and the effect of corrections on all measures."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.average_precision import (
    MeanAveragePrecision,
    mechanism_precision,
    replicate_precision,
)
from cloome_kedro.evaluation.bootstrap import clustered_mean_interval, paired_difference
from cloome_kedro.evaluation.methods import Methods

#: parts of the controls: corrections are fitted to all but one part, and replicates are ranked among this part
PARTS = 4
#: columns of the comparison
COLUMNS = [
    *("matches", "method", "value", "low", "high", "chance", "n"),
    *("against", "difference", "difference_low", "difference_high"),
]
#: protocols whose references are on other plates than the query: by what is excluded
ACROSS_PLATES = ("plate", "plate+compound")
#: columns of the table ``profile_moa_corrections``
EFFECTS = [
    *("measure", "shown_by", "excluded", "method", "value", "low", "high", "chance", "compounds"),
    *("against", "difference", "difference_low", "difference_high"),
]


def compare_precision(
    wells: pd.DataFrame,
    correct: Callable[[np.ndarray], Methods],
    pairs: Sequence[tuple[str, str]] = (),
    *,
    parts: int = PARTS,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean average precision of replicates and of mechanisms by each method.

    Replicates are ranked among control wells. A correction makes the controls that it is fitted to alike, so that they
    are far from treated wells, whatever these show. So the controls of each plate are divided into parts. Corrections
    are fitted without the controls of a part, and replicates are ranked among these. The result is the mean over the
    parts. All methods have the same parts.

    Parameters
    ----------
    wells
        Columns ``field_id``, ``plate``, ``well``, ``inchikey``, ``moa`` and ``control``, one row per well.
    correct
        Function from the controls, (N,) bool, to which corrections are fitted, to methods that know all these wells.
        Vectors are compared by their cosines.
    pairs
        Pairs of a method and the one that is subtracted from it.
    parts
        Number of parts of the controls, at least 2.
    confidence, resamples, seed
        As in :func:`~cloome_kedro.evaluation.average_precision.replicate_precision`. The seed also divides controls.

    Returns
    -------
    pandas.DataFrame
        One row per kind of match (``replicates``, ``mechanisms``) and method, with the columns :data:`COLUMNS`.
        Differences are means over the compounds that both methods have. Their intervals are by a bootstrap over
        compounds.

    Raises
    ------
    ModuleNotFoundError
        If copairs is not installed.
    """
    control = wells["control"].to_numpy(bool)
    part = _parts(wells, parts, seed)
    # p values are not used, so few random rankings are enough.
    settings: dict[str, Any] = {"null_size": 10, "seed": seed}
    replicates: dict[str, list[MeanAveragePrecision]] = {}
    for number in range(parts):
        rows = ~control | (part == number)
        for name, method in correct(control & (part != number)).items():
            vectors = method.fields.of(wells.loc[rows, "field_id"])
            result = replicate_precision(wells[rows].reset_index(drop=True), vectors, **settings)
            replicates.setdefault(name, []).append(result)
    mechanisms = {
        name: [mechanism_precision(wells, method.fields.of(wells["field_id"]), **settings)]
        for name, method in correct(control).items()
    }
    against, rows_of_table = dict(pairs), []
    interval: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    for results in (replicates, mechanisms):
        values = {name: _by_compound(of_method) for name, of_method in results.items()}
        for name, of_method in results.items():
            row: dict[str, Any] = {"matches": of_method[0].matches, "method": name, "n": len(values[name])}
            if len(values[name]):
                low, high = clustered_mean_interval(values[name], values[name].index, **interval)
                chance = float(np.nanmean([result.chance for result in of_method]))
                row |= {"value": float(values[name].mean()), "low": low, "high": high, "chance": chance}
            if name in against and against[name] in values:
                row |= {"against": against[name]} | _difference(values[name], values[against[name]], interval)
            rows_of_table.append(row)
    return pd.DataFrame(rows_of_table, columns=COLUMNS)


def _parts(wells: pd.DataFrame, number: int, seed: int) -> np.ndarray:
    """Part of each control, from 0, with equal numbers of controls of each imaged plate; -1 for treated wells."""
    generator = np.random.default_rng(seed)
    part = np.full(len(wells), -1)
    imaged = wells["field_id"].str.rpartition("/")[0].to_numpy(object)
    control = wells["control"].to_numpy(bool)
    for plate in sorted(set(imaged[control])):
        rows = generator.permutation(np.flatnonzero(control & (imaged == plate)))
        part[rows] = np.arange(len(rows)) % number
    return part


def _by_compound(results: Sequence[MeanAveragePrecision]) -> pd.Series:
    """Mean over parts of each compound."""
    return pd.concat([result.by_compound for result in results]).groupby(level=0).mean()


def _difference(values: pd.Series, baseline: pd.Series, interval: dict[str, Any]) -> dict[str, float]:
    common = values.index.intersection(baseline.index)
    if not len(common):
        return {}
    difference, low, high = paired_difference(values[common], baseline[common], common, **interval)
    return {"difference": difference, "difference_low": low, "difference_high": high}


def effects_of_corrections(
    metrics: pd.DataFrame, differences: pd.DataFrame, precision: pd.DataFrame | None, methods: Sequence[str]
) -> pd.DataFrame:
    """Put the results of a method with and without corrections into one table.

    Parameters
    ----------
    metrics, differences
        Tables ``metrics`` and ``differences`` of zero-shot classification. Differences are those of corrected methods
        from the method as it is. Of several draws, the mean is used.
    precision
        Result of :func:`compare_precision`. None: it was not measured.
    methods
        The method as it is, and the corrected ones.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`EFFECTS`. Measures are ``mean average precision of replicates`` and ``... of mechanisms``, and
        ``top-1`` of the protocols :data:`ACROSS_PLATES`.
    """
    tables = []
    if precision is not None:
        measures = "mean average precision of " + precision["matches"]
        measured = precision.rename(columns={"n": "compounds"})
        tables.append(measured.assign(measure=measures, shown_by=None, excluded=None))
    protocol = ["shown_by", "excluded"]
    across = metrics["excluded"].isin(ACROSS_PLATES)
    top1 = metrics[(metrics["metric"] == "top-1") & metrics["method"].isin(methods) & across]
    top1 = top1[top1["draws"] == top1.groupby(protocol)["draws"].transform("max")]
    compared = differences[(differences["metric"] == "top-1") & differences["method"].isin(methods)]
    ends = {"low": "difference_low", "high": "difference_high"}
    compared = compared[["method", *protocol, "against", "difference", "low", "high"]].rename(columns=ends)
    compared = compared.assign(against=compared["against"].str.removeprefix("method "))
    compared = compared[compared["against"] == methods[0]]
    top1 = top1.merge(compared, how="left", on=["method", *protocol], validate="one_to_one")
    tables.append(top1.assign(measure="top-1"))
    effects = pd.concat([table.reindex(columns=EFFECTS).astype(object) for table in tables], ignore_index=True)
    numbers = ["value", "low", "high", "chance", "difference", "difference_low", "difference_high"]
    return effects.astype(dict.fromkeys(numbers, float)).astype({"compounds": int})

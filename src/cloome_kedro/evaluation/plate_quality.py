"""How much the place of a well, and its plate, change what is measured there."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ncfdtr, nctdtr

ALL_WELLS, CONTROL_WELLS = "all wells", "control wells"
#: columns of :func:`position_effects`
EFFECT_COLUMNS = ["statistic", "basis", "factor", "effect", "value", "low", "high", "p_value", "wells", "plates"]
#: kinds of effects: share of the variance, and difference in standard deviations
SHARE, DIFFERENCE = "share of variance", "standard deviations"

FEWEST_PLATES = 5  # for robust standard deviations of plates
_FEWEST = 10  # residual degrees of freedom, below which no effect is estimated


def position_effects(wells: pd.DataFrame, statistics: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Measure the effects of row, column and edge within plates, on all wells and on control wells.

    Rows and columns: a linear model with one constant per row and one per column is fitted to the wells of each plate.
    Control wells are few. Therefore one such model, with a constant per plate, is fitted to those of all plates
    together: it measures only the pattern that plates have in common. The effect of the rows is their partial omega
    squared: the share of the variance not explained by columns that the rows explain, corrected for the number of rows,
    with sums of squares within plates. Its interval is by the
    noncentral F distribution (Steiger, Psychological Methods 9, 164, 2004). Edge: the mean difference between the
    outermost wells and all others within plates, in standard deviations within plates and groups (Cohen's d), with an
    interval by the noncentral t distribution.

    Parameters
    ----------
    wells
        Columns ``plate``, ``row``, ``column``, ``edge``, ``control`` and those of ``statistics``, one row per well.
    statistics
        Names of columns. Missing values are left out.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`EFFECT_COLUMNS`, without effects that cannot be estimated: those of a plate with one row, or with
        too few wells.
    """
    rows = []
    for basis, chosen in ((ALL_WELLS, wells), (CONTROL_WELLS, wells[wells["control"]])):
        for statistic in statistics:
            measured = chosen[chosen[statistic].notna()]
            facts = {
                "statistic": statistic,
                "basis": basis,
                "wells": len(measured),
                "plates": measured["plate"].nunique(),
            }
            common = basis == CONTROL_WELLS
            effects = [
                *_row_and_column(measured, statistic, confidence, common),
                *_edge(measured, statistic, confidence),
            ]
            rows += [facts | effect for effect in effects]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def _row_and_column(wells: pd.DataFrame, statistic: str, confidence: float, common: bool) -> Iterator[dict]:
    squares, degrees = dict.fromkeys(("row", "column"), 0.0), dict.fromkeys(("row", "column"), 0)
    residual, free, used = 0.0, 0, 0
    parts = [wells] if common else [plate for _, plate in wells.groupby("plate", sort=False)]
    for part in parts:
        plates = pd.factorize(part["plate"])[0]
        values = _within(part[statistic].to_numpy(float)[:, None], plates)[:, 0]
        dummies = {name: _within(_dummies(part[name].to_numpy()), plates) for name in squares}
        whole, rank = _residual(np.hstack([*dummies.values()]), values)
        for name, other in (("row", "column"), ("column", "row")):
            without, rank_without = _residual(dummies[other], values)
            squares[name] += without - whole
            degrees[name] += rank - rank_without
        residual, used = residual + whole, used + len(part)
        free += len(part) - rank - int(plates.max(initial=-1)) - 1
    if free < _FEWEST or residual <= 0:
        return
    error = residual / free
    for name in squares:
        if not degrees[name]:
            continue
        f = squares[name] / degrees[name] / error
        value = (squares[name] - degrees[name] * error) / (squares[name] + (used - degrees[name]) * error)
        low, high = (strength / (strength + used) for strength in _f_bounds(f, degrees[name], free, confidence))
        yield {
            "factor": name,
            "effect": SHARE,
            "value": max(0.0, value),
            "low": low,
            "high": high,
            "p_value": float(1 - ncfdtr(degrees[name], free, 0, f)),
        }


def _edge(wells: pd.DataFrame, statistic: str, confidence: float) -> Iterator[dict]:
    plates = wells.groupby("plate", sort=False)
    both = plates["edge"].transform("nunique") == 2
    wells = wells[both]
    free = len(wells) - wells["plate"].nunique() - 1
    if free < _FEWEST:
        return
    plate = wells["plate"]
    values, edge = (
        (column - column.groupby(plate, sort=False).transform("mean")).to_numpy()
        for column in (wells[statistic].astype(float), wells["edge"].astype(float))
    )
    spread = float(edge @ edge)
    slope = float(edge @ values) / spread
    deviation = np.sqrt(float(np.square(values - slope * edge).sum()) / free)
    if deviation <= 0:
        return
    t = slope / deviation * np.sqrt(spread)
    low, high = (strength / np.sqrt(spread) for strength in _t_bounds(t, free, confidence))
    tail = float(nctdtr(free, 0, -abs(t)))
    value = slope / deviation
    yield {"factor": "edge", "effect": DIFFERENCE, "value": value, "low": low, "high": high, "p_value": 2 * tail}


def position_means(wells: pd.DataFrame, statistics: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Mean of each row, each column, the edge and the inner wells, as deviations from the mean of their plate.

    Parameters
    ----------
    wells, statistics
        As in :func:`position_effects`.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``statistic``; ``axis``: row, column or edge; ``position``: number, or 1 for the edge; ``value``, in standard
        deviations of wells within plates; ``low`` and ``high``, by the normal distribution over wells, missing for a
        single well; ``wells``.
    """
    from scipy.special import ndtri

    half = ndtri(0.5 + confidence / 2)
    tables = []
    for statistic in statistics:
        measured = wells[wells[statistic].notna()]
        deviations = measured[statistic] - measured.groupby("plate")[statistic].transform("mean")
        scale = np.sqrt(np.square(deviations).mean()) if len(measured) else np.nan
        if not scale > 0:
            continue
        scaled = deviations / scale
        for axis in ("row", "column", "edge"):
            groups = scaled.groupby(measured[axis].astype(int))
            table = groups.agg(value="mean", wells="size", spread="std").rename_axis("position").reset_index()
            error = half * table.pop("spread") / np.sqrt(table["wells"])
            tables.append(
                table.assign(statistic=statistic, axis=axis, low=table["value"] - error, high=table["value"] + error)
            )
    columns = ["statistic", "axis", "position", "value", "low", "high", "wells"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def plate_deviations(wells: pd.DataFrame, statistics: Sequence[str]) -> pd.DataFrame:
    """Compare the median well of each plate with those of all plates.

    Returns
    -------
    pandas.DataFrame
        Index: plate, sorted. One column per statistic: the deviation from the median plate in robust standard
        deviations (1.4826 times the median absolute deviation) of plates; 0 if plates do not differ. With fewer than
        five plates, which have no robust deviation, in standard deviations. Missing if a plate was not measured.

    Examples
    --------
    >>> wells = pd.DataFrame({"plate": list("ABCDE"), "cells": [10.0, 11.0, 12.0, 13.0, 30.0]})
    >>> plate_deviations(wells, ["cells"])["cells"].round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 12.1]
    """
    medians = wells.groupby("plate", sort=True)[list(statistics)].median()
    deviations = medians - medians.median()
    scale = 1.4826 * deviations.abs().median()
    is_robust = (scale > 0) & (deviations.notna().sum() >= FEWEST_PLATES)
    scale = scale.where(is_robust, deviations.std(ddof=0)).replace(0, 1)
    return deviations / scale


def choose_plates(deviations: pd.DataFrame, number: int, named: Sequence[str] = ()) -> list[str]:
    """Choose the plates that a report shows: named ones, the most usual one, and the most unusual ones.

    Parameters
    ----------
    deviations
        From :func:`plate_deviations`.
    number
        Number of plates.
    named
        Plates that are shown in any case.

    Returns
    -------
    list of str
        In alphabetical order.

    Raises
    ------
    ValueError
        If there is no plate of a name. The message names plates that there are.

    Examples
    --------
    >>> deviations = pd.DataFrame({"cells": [-1.3, -0.7, 0.0, 0.7, 12.1]}, index=list("ABCDE"))
    >>> choose_plates(deviations, 2), choose_plates(deviations, 2, ["B"])
    (['C', 'E'], ['B', 'C'])
    """
    if unknown := [name for name in named if name not in deviations.index]:
        raise ValueError(
            f"data_report.show_plates: there is no plate {unknown[0]}; plates are "
            f"{', '.join(map(str, deviations.index[:5]))}{', ...' if len(deviations) > 5 else ''}"
        )
    order = list(deviations.abs().max(axis=1).fillna(0).sort_values(kind="stable").index)
    chosen = list(dict.fromkeys([*named, *order[:1], *order[:0:-1]]))
    return sorted(chosen[: max(number, len(named))])


def _dummies(codes: np.ndarray) -> np.ndarray:
    """One column of 0 and 1 for each different value except the first."""
    return (codes[:, None] == np.unique(codes)[None, 1:]).astype(float)


def _within(columns: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Subtract from each column (N, k) its mean within each group."""
    sums = np.zeros((int(groups.max(initial=-1)) + 1, columns.shape[1]))
    np.add.at(sums, groups, columns)
    return columns - (sums / np.bincount(groups)[:, None])[groups]


def _residual(design: np.ndarray, values: np.ndarray) -> tuple[float, int]:
    """Sum of squares that a linear model leaves, and the rank of its design."""
    if not design.size:
        return float(values @ values), 0
    solution, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    return float(np.square(values - design @ solution).sum()), int(rank)


def _f_bounds(f: float, first: int, second: int, confidence: float) -> tuple[float, float]:
    """Bounds of the noncentrality of an F distribution that gave the value ``f``."""
    tail = (1 - confidence) / 2

    def excess(strength: float, probability: float) -> float:
        return float(ncfdtr(first, second, strength, f)) - probability

    bounds = []
    for probability in (1 - tail, tail):
        if excess(0, probability) <= 0:
            bounds.append(0.0)
            continue
        highest = 10.0
        while excess(highest, probability) > 0:
            highest *= 2
        bounds.append(float(brentq(excess, 0, highest, args=(probability,))))
    return bounds[0], bounds[1]


def _t_bounds(t: float, free: int, confidence: float) -> tuple[float, float]:
    """Bounds of the noncentrality of a t distribution that gave the value ``t``."""
    tail = (1 - confidence) / 2

    def excess(strength: float, probability: float) -> float:
        return float(nctdtr(free, strength, t)) - probability

    bounds = []
    for probability in (1 - tail, tail):
        width = 5.0 + abs(t) / 2
        while excess(t - width, probability) < 0 or excess(t + width, probability) > 0:
            width *= 2
        bounds.append(float(brentq(excess, t - width, t + width, args=(probability,))))
    return bounds[0], bounds[1]
